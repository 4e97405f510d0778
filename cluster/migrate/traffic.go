package migrate

import (
	"cmp"
	"regexp"
	"sync"
)

// Traffic is what a region was asked since a start.
type Traffic struct {
	Region    string `json:"region"`
	Calls     int64  `json:"calls"`               // that were answered, in whatever way
	Throttled int64  `json:"throttled,omitempty"` // times that the region said to come later, or could not answer as a whole (503)
	Unreached int64  `json:"unreached,omitempty"` // times that a node gave no answer
	First     string `json:"first,omitempty"`     // request id of the first answer
	Last      string `json:"last,omitempty"`
}

// add adds what the region was asked later.
func (t *Traffic) add(later Traffic) {
	t.Calls += later.Calls
	t.Throttled += later.Throttled
	t.Unreached += later.Unreached
	t.First, t.Last = cmp.Or(t.First, later.First), cmp.Or(later.Last, t.Last)
}

// requestIDForm is what request ids look like, as a rule UUIDs. What does not goes into no journal.
var requestIDForm = regexp.MustCompile(`^[0-9A-Za-z-]{1,64}$`)

// trafficCounter counts for many callers.
type trafficCounter struct {
	mu sync.Mutex
	is Traffic
}

// answered counts an answer.
func (c *trafficCounter) answered(requestID string) {
	if !requestIDForm.MatchString(requestID) {
		requestID = ""
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.is.Calls++
	if requestID == "" {
		return
	}
	if c.is.First == "" {
		c.is.First = requestID
	}
	c.is.Last = requestID
}

func (c *trafficCounter) throttled() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.is.Throttled++
}

func (c *trafficCounter) unreached() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.is.Unreached++
}

func (c *trafficCounter) read() Traffic {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.is
}
