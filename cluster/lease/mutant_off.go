//go:build !leasemutants

package lease

const mutant = none

// termBefore stands for a reading that only a mutant makes.
func (n *Node) termBefore() uint64 { return n.cfg.Raft.Term() }
