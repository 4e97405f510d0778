//go:build leasemutants

package lease

// mutant is the mistake under trial; the simulation sets it before it starts.
var mutant = none

// termBefore is a reading of the term from before the receipt of the grant.
func (n *Node) termBefore() uint64 {
	return n.cfg.Raft.(interface{ OldTerm() uint64 }).OldTerm()
}
