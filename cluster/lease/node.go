package lease

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Members is a Raft configuration.
type Members struct {
	Index     uint64 // of its log entry
	Voters    []NodeID
	NonVoters []NodeID
}

func (m Members) has(id NodeID) bool {
	for _, v := range m.Voters {
		if v == id {
			return true
		}
	}
	for _, v := range m.NonVoters {
		if v == id {
			return true
		}
	}
	return false
}

// Raft is what the package asks of the consensus layer, which runs beside it
// and is not guarded by its lock.
type Raft interface {
	// Term is the current term, as a vote would see it.
	Term() uint64
	// Leading is the term that this server leads, read between two equal
	// readings of the term; 0 when it leads none.
	Leading() uint64
	// Latest is the newest configuration in the log, committed or not.
	Latest() Members
}

// Machine is what the package asks of the state machine.
type Machine interface {
	// Index is the FSM index: of the last command or configuration that is
	// durable and shown by new views.
	Index() uint64
	// Configuration is the newest one the state machine has applied, and since
	// when this process knows that (its start, if it found it on disk).
	Configuration() (Members, Instant)
}

// Config describes a [Node]. Every field is needed.
type Config struct {
	Self    NodeID
	Start   uint64        // raised and stored before the first renewal of a process (rule 2)
	Length  time.Duration // D
	Margin  time.Duration // m: at least twice the worst deviation of a clock's rate times D
	Renewal time.Duration // R
	Clock   Clock
	Raft    Raft
	Machine Machine

	// interleave is called at named points of the code, so that a test can let
	// the rest of the process move on there.
	interleave func(point)
}

// point names a place in the code where the process may be paused.
type point uint8

const (
	pointRecorded point = iota // a grant is recorded, c not yet read
	pointRead                  // c is read, the grant not yet sent
	pointUnlocked              // as pointRecorded, where a mutant gives up the lock
)

func (c Config) validate() error {
	var errs []error
	for _, f := range []struct {
		bad  bool
		what string
	}{
		{c.Self == "", "Self is empty"},
		{c.Start == 0, "Start must be raised and stored before the first renewal"},
		{c.Length <= 0, "Length must be above 0"},
		{c.Margin < 0, "Margin must not be negative"},
		{c.Renewal <= 0 || c.Renewal*2 >= c.Length, "Renewal must be above 0 and below half of Length"},
		{c.Clock == nil || c.Raft == nil || c.Machine == nil, "Clock, Raft and Machine are needed"},
	} {
		if f.bad {
			errs = append(errs, errors.New(f.what))
		}
	}
	if len(errs) > 0 {
		return fmt.Errorf("lease: %w", errors.Join(errs...))
	}
	return nil
}

// Stats counts what a node has done since it started.
type Stats struct {
	Renewals, Grants, EmptyGrants, ClockJumps, Released uint64
}

// Node is the lease layer of one server: holder always, grantor while it leads.
// All methods may be called from any goroutine.
type Node struct {
	cfg     Config
	started Instant

	grants atomic.Pointer[[]grant] // live ones, newest last; replaced, never changed
	apart  atomic.Int64            // wall minus boot clock at the last look

	mu          sync.Mutex
	seq         uint64
	outstanding [16]sentRenewal // the newest renewals of this process
	echo        Echo
	heard       [2]heard        // the two newest terms a grant was kept of, newest first
	lastLed     Instant         // when it last counted itself in an authority
	renewAt     Instant         // when the next renewal is due
	lastTerm    uint64          // Raft term at the last renewal
	stopped     bool            // set by Leave
	suspended   bool            // set by Suspend
	opening     Opening         // the term it last saw itself lead
	table       *table          // the term it has opened; nil if none
	early       map[NodeID]Left // the newest message of each server that has stopped
	stats       Stats
}

// New makes the lease layer of a server that has just started.
func New(cfg Config) (*Node, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	now := cfg.Clock.Boot()
	n := &Node{cfg: cfg, started: now, lastLed: Never, renewAt: now, early: map[NodeID]Left{}}
	n.heard[0].at, n.heard[1].at = Never, Never
	n.apart.Store(int64(cfg.Clock.Wall() - now))
	n.grants.Store(&[]grant{})
	return n, nil
}

// Stats returns the counters.
func (n *Node) Stats() Stats {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.stats
}
