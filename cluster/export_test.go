package cluster

import "context"

// StateHash returns index and hash of the node's state as it is.
func (n *Node) StateHash() (index uint64, hash [32]byte) {
	for {
		index = n.Applied()
		if hash, ok := n.store.HashAt(index); ok {
			return index, hash
		}
	}
}

// Pending is the number of answers that Raft still owes.
func (n *Node) Pending() int {
	n.futures.mu.Lock()
	defer n.futures.mu.Unlock()
	return n.futures.pending
}

// Configurations returns the indexes of the latest and of the applied
// configuration, as the lease layer sees them.
func (n *Node) Configurations() (latest, applied uint64) {
	members, _ := leaseMachine{n, n.machine.members}.Configuration()
	return leaseRaft{n}.Latest().Index, members.Index
}

// Unchecked has reads answered without a look at a lease, to measure what that
// costs, until restore is called. No read may run meanwhile.
func (n *Node) Unchecked() (restore func()) {
	checked := n.freshness
	n.freshness = unchecked{}
	return func() { n.freshness = checked }
}

type unchecked struct{}

func (unchecked) Admit(context.Context, bool) (Ticket, error) { return Ticket{}, nil }
func (unchecked) Check(Ticket, uint64) error                  { return nil }
