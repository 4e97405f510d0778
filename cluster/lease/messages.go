package lease

import "time"

// NodeID names a server of the region, as Raft does.
type NodeID string

// Name is the name of a renewal (rule 2). Start counts the processes that the
// server has had with its present data, Seq the renewals of that process.
type Name struct{ Start, Seq uint64 }

// before tells whether n is an older name than m.
func (n Name) before(m Name) bool {
	return n.Start < m.Start || n.Start == m.Start && n.Seq < m.Seq
}

// Echo hands the leader's own clock back to it: the newest Sent that the
// server took in Term.
type Echo struct {
	Term uint64
	Sent Instant
}

// Renew asks the leader for a grant.
type Renew struct {
	Term    uint64 // Raft term of the sender, read before the other fields
	Name    Name
	Applied uint64        // FSM index of the sender, durable
	Echo    Echo          // zero: none
	Age     time.Duration // time since the sender kept a grant of a term below Term, led, or started; the latest of them
}

// Grant answers a renewal.
type Grant struct {
	Term    uint64
	Sent    Instant       // the leader's clock when it took the renewal; echoed by the holder
	Name    Name          // of the renewal
	MinView uint64        // c: lowest index of a view that may be answered from
	Length  time.Duration // L, counted from the sending of the renewal; 0: only to be echoed
}

// Ack tells the leader that everything up to Applied is durable and visible.
type Ack struct{ Applied uint64 }

// Left tells the leader that the sender has dropped its grants for good.
type Left struct {
	Term uint64
	Name Name
}
