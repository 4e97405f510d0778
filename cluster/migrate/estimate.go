package migrate

import (
	"time"

	wire "meridian/cluster/api/batch"
)

// Estimate is about what a run of the planned rows would take, with calls under way at once as a run has if nobody says.
type Estimate struct {
	Calls int64         `json:"calls"` // to both regions together
	Took  time.Duration `json:"-"`
	// Seconds is Took for others to read.
	Seconds float64 `json:"seconds"`
}

const (
	// rsaTime is what a private operation of RSA-2048 takes a node, of which it does one at a time or a few.
	rsaTime = 3500 * time.Microsecond
	// nativeRowTime and nativeMoverTime are what a row takes a node, and the mover, who reads and writes one after the other.
	nativeRowTime   = 4 * time.Microsecond
	nativeMoverTime = 10 * time.Microsecond
)

// estimate is the larger of what the calls' way and the work takes. trip is that of a call to each region.
func estimate(rows, batch int64, trip, rowTime time.Duration, nodes int, mover time.Duration) Estimate {
	calls := (rows + batch - 1) / batch
	waiting := trip * time.Duration(calls) / DefaultParallel
	working := rowTime * time.Duration(rows) / time.Duration(max(nodes, 1))
	took := max(waiting+working, mover*time.Duration(rows))
	return Estimate{Calls: 2 * calls, Took: took, Seconds: took.Seconds()}
}

func (s *Standard) estimate(rows int64, trip time.Duration) Estimate {
	return estimate(rows, 1, trip, rsaTime, len(s.to.clients), 0)
}

func (p *Plaintext) estimate(rows int64, trip time.Duration) Estimate {
	return estimate(rows, 1, trip, 0, 1, 0)
}

func (n *Native) estimate(rows int64, trip time.Duration) Estimate {
	return estimate(rows, wire.MaxRows, trip, nativeRowTime, len(n.to.clients), nativeMoverTime)
}
