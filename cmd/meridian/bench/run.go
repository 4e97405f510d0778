package bench

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Case is a call of the mix. It has one signer for each endpoint of the run.
type Case struct {
	Signers []*Signer
	Weight  int // its share of the calls
}

// Config says how to load.
type Config struct {
	Endpoints   []Endpoint // connections are spread over them
	Cases       []Case
	Connections int
	// The run ends after Duration or after Count calls, whichever comes first; one
	// of them is zero if it does not count.
	Duration time.Duration
	Count    int64
	// Rate is the calls a second to start, whether or not earlier ones were
	// answered; zero is a closed loop, in which each connection starts a call when
	// its last one was answered.
	Rate    float64
	Timeout time.Duration // of one call
	Done    *atomic.Int64 // counts calls as they end; may be nil
}

// CaseResult is what came of one case.
type CaseResult struct {
	Latency Histogram        // of calls that succeeded, since they were to start
	Errors  map[string]int64 // by the API's code, or what happened to the connection
}

// Failed is the number of calls that failed.
func (r *CaseResult) Failed() (n int64) {
	for _, count := range r.Errors {
		n += count
	}
	return n
}

// Result is what came of a run.
type Result struct {
	Cases   []CaseResult
	Elapsed time.Duration // from the first start to the last answer
	Unsent  int64         // calls of a fixed rate that were due and never started
}

// Calls is the number of calls that ended, well or not.
func (r *Result) Calls() (n int64) {
	for i := range r.Cases {
		n += int64(r.Cases[i].Latency.Count()) + r.Cases[i].Failed()
	}
	return n
}

// drain is how long calls of a fixed rate that are due may still be started
// after the end of a run.
const drain = 10 * time.Second

// Run loads until the end that cfg names, or until ctx ends: then it returns what
// it has, and no error. It fails if not one connection can be opened.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	workers, err := open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	p := &pace{cfg: cfg, start: time.Now()}
	var running sync.WaitGroup
	for _, w := range workers {
		running.Go(func() { w.run(ctx, p) })
	}
	running.Wait()
	result := &Result{Cases: make([]CaseResult, len(cfg.Cases))}
	last := p.start
	for _, w := range workers {
		if w.conn != nil {
			_ = w.conn.Close() // nothing is in flight
		}
		if w.last.After(last) {
			last = w.last
		}
		for i := range w.results {
			result.Cases[i].merge(&w.results[i])
		}
	}
	result.Elapsed = last.Sub(p.start)
	if cfg.Rate > 0 && ctx.Err() == nil {
		result.Unsent = max(0, cfg.due()-result.Calls())
	}
	return result, nil
}

func (r *CaseResult) merge(other *CaseResult) {
	r.Latency.Merge(&other.Latency)
	for code, n := range other.Errors {
		if r.Errors == nil {
			r.Errors = map[string]int64{}
		}
		r.Errors[code] += n
	}
}

// open dials all connections. Those that fail are tried again by their workers,
// if any succeeded.
func open(ctx context.Context, cfg Config) ([]*worker, error) {
	workers := make([]*worker, cfg.Connections)
	failures := make([]error, cfg.Connections)
	var dialing sync.WaitGroup
	total := 0
	for _, c := range cfg.Cases {
		total += c.Weight
	}
	for i := range workers {
		w := &worker{
			cfg: &cfg, at: i % len(cfg.Endpoints), weights: total,
			random: rand.New(rand.NewPCG(uint64(i), 1)), results: make([]CaseResult, len(cfg.Cases)),
		}
		workers[i] = w
		dialing.Go(func() { w.conn, failures[i] = Dial(ctx, cfg.Endpoints[w.at]) })
	}
	dialing.Wait()
	for _, err := range failures {
		if err == nil {
			return workers, nil
		}
	}
	return nil, failures[0]
}

// pace tells workers when to start the next call.
type pace struct {
	cfg   Config
	start time.Time
	next  atomic.Int64
}

// wait waits until a call is to start and returns when that was meant to be: now
// in a closed loop; its place in the row at a fixed rate, however late it is. It
// returns false at the end of the run.
func (p *pace) wait(ctx context.Context) (intended time.Time, ok bool) {
	now := time.Now()
	i := p.next.Add(1) - 1
	if ctx.Err() != nil || p.cfg.Count > 0 && i >= p.cfg.Count {
		return now, false
	}
	if p.cfg.Rate <= 0 {
		return now, p.cfg.Duration <= 0 || now.Sub(p.start) < p.cfg.Duration
	}
	offset := time.Duration(float64(i) / p.cfg.Rate * float64(time.Second))
	if p.cfg.Duration > 0 && offset >= p.cfg.Duration {
		return now, false
	}
	intended = p.start.Add(offset)
	early := intended.Sub(now)
	switch {
	case early > 0:
		timer := time.NewTimer(early)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return intended, false
		}
	case p.cfg.Duration > 0 && now.Sub(p.start) > p.cfg.Duration+drain:
		return intended, false
	}
	return intended, true
}

// due is the number of calls that a whole run at a fixed rate starts.
func (c *Config) due() int64 {
	if c.Rate <= 0 || c.Duration <= 0 {
		return c.Count
	}
	n := int64(math.Ceil(c.Duration.Seconds() * c.Rate))
	if c.Count > 0 {
		n = min(n, c.Count)
	}
	return n
}

// worker is one connection and what came of its calls.
type worker struct {
	cfg     *Config
	at      int // endpoint
	conn    *Conn
	random  *rand.Rand
	weights int
	request []byte
	results []CaseResult
	last    time.Time // of the last answer
}

// redial is the time between attempts at an endpoint that refuses connections.
const redial = 50 * time.Millisecond

func (w *worker) run(ctx context.Context, p *pace) {
	for {
		intended, ok := p.wait(ctx)
		if !ok {
			return
		}
		i := w.pick()
		err := w.call(ctx, i)
		now := time.Now()
		if err != nil && ctx.Err() != nil {
			return // cut off by the end of the run, not by the server
		}
		w.last = now
		if err == nil {
			w.results[i].Latency.Record(now.Sub(intended))
		} else {
			w.failed(i, err)
		}
		if w.cfg.Done != nil {
			w.cfg.Done.Add(1)
		}
	}
}

// pick chooses a case by weight.
func (w *worker) pick() int {
	if len(w.cfg.Cases) == 1 {
		return 0
	}
	n := w.random.IntN(w.weights)
	for i, c := range w.cfg.Cases {
		if n -= c.Weight; n < 0 {
			return i
		}
	}
	return 0
}

// refused is an answer that is an error.
type refused struct{ code string }

func (e *refused) Error() string { return e.code }

// call makes one call.
func (w *worker) call(ctx context.Context, i int) error {
	if w.conn == nil {
		conn, err := Dial(ctx, w.cfg.Endpoints[w.at])
		if err != nil {
			select {
			case <-time.After(redial):
			case <-ctx.Done():
			}
			return err
		}
		w.conn = conn
	}
	w.request = w.cfg.Cases[i].Signers[w.at].Append(w.request[:0], time.Now())
	status, body, err := w.conn.Do(w.request, w.cfg.Timeout)
	if err != nil {
		_ = w.conn.Close() // the error of the call says more
		w.conn = nil
		if !errors.Is(err, errClosing) {
			return err
		}
	}
	if status != 200 {
		return &refused{errorCode(status, body)}
	}
	return nil
}
