package cluster

// Pending is the number of answers that Raft still owes.
func (n *Node) Pending() int {
	n.futures.mu.Lock()
	defer n.futures.mu.Unlock()
	return n.futures.pending
}
