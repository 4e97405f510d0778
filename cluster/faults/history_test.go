//go:build faults

package faults

import (
	"bufio"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"meridian/cluster/api/client"
)

// outcome is what became of one request to one node.
type outcome string

const (
	done        outcome = "done"        // answered with success
	refused     outcome = "refused"     // answered with an error that tells of the state
	unavailable outcome = "unavailable" // 503 or 429: certainly not done
	unreachable outcome = "unreachable" // the connection was refused: certainly not done
	unknown     outcome = "unknown"     // a write without a definite answer
	broken      outcome = "broken"      // a read without an answer
)

// op is one request to one node. Times are nanoseconds since the run began, on
// the monotonic clock of the one process that makes all requests.
type op struct {
	Worker  string  `json:"worker"`
	Action  string  `json:"action"`
	Object  string  `json:"object"` // key id or alias
	Node    string  `json:"node"`
	Value   int64   `json:"value"` // of a counter: written or read
	Start   int64   `json:"start"`
	End     int64   `json:"end"`
	Outcome outcome `json:"outcome"`
	Code    string  `json:"code,omitempty"`  // of an error answer
	Error   string  `json:"error,omitempty"` // of no answer
	Index   uint64  `json:"index,omitempty"` // X-Meridian-Index
}

func (o *op) write() bool { return client.IsWrite(o.Action) }

// history is what all workers did. Each appends to a part of its own.
type history struct {
	began time.Time

	mu    sync.Mutex
	parts []*part
	notes []note

	gate sync.RWMutex // held by each request of the load while it is under way
}

// part is the history of one worker.
type part struct {
	mu  sync.Mutex
	ops []op
}

// note is an event of the run itself, such as a fault.
type note struct {
	Start int64  `json:"start"`
	End   int64  `json:"end"`
	Fault string `json:"fault"`
}

func newHistory() *history { return &history{began: time.Now()} }

func (h *history) now() int64 { return int64(time.Since(h.began)) }

// hold runs f while no request of the load is under way.
func (h *history) hold(f func()) {
	h.gate.Lock()
	defer h.gate.Unlock()
	f()
}

func (h *history) part() *part {
	p := &part{}
	h.mu.Lock()
	h.parts = append(h.parts, p)
	h.mu.Unlock()
	return p
}

func (p *part) add(o op) {
	p.mu.Lock()
	p.ops = append(p.ops, o)
	p.mu.Unlock()
}

func (h *history) note(n note) {
	h.mu.Lock()
	h.notes = append(h.notes, n)
	h.mu.Unlock()
}

// all returns every request in the order of its start.
func (h *history) all() []op {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []op
	for _, p := range h.parts {
		p.mu.Lock()
		all = append(all, p.ops...)
		p.mu.Unlock()
	}
	slices.SortFunc(all, func(a, b op) int { return int(a.Start - b.Start) })
	return all
}

// save writes notes and requests as lines of JSON.
func (h *history) save(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	lines := json.NewEncoder(w)
	h.mu.Lock()
	notes := slices.Clone(h.notes)
	h.mu.Unlock()
	var failed error
	for _, n := range notes {
		failed = errors.Join(failed, lines.Encode(n))
	}
	for _, o := range h.all() {
		failed = errors.Join(failed, lines.Encode(o))
	}
	return errors.Join(failed, w.Flush(), f.Close())
}

// settle fills in what an answer came to.
func (o *op) settle(resp client.Response, err error) {
	o.Index = resp.Index
	var answer *client.Error
	var dial *net.OpError
	switch {
	case err == nil:
		o.Outcome = done
	case errors.As(err, &answer):
		o.Code = answer.Code
		switch {
		case answer.Status == http.StatusServiceUnavailable, answer.Status == http.StatusTooManyRequests:
			o.Outcome, o.Error = unavailable, answer.Message
		case answer.Status < 500:
			o.Outcome = refused
		case o.write():
			o.Outcome, o.Error = unknown, answer.Message
		default:
			o.Outcome, o.Error = broken, answer.Message
		}
	case errors.As(err, &dial) && dial.Op == "dial":
		o.Outcome = unreachable
	case o.write():
		o.Outcome, o.Error = unknown, err.Error()
	default:
		o.Outcome, o.Error = broken, err.Error()
	}
}
