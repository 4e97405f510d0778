package cluster

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

// LogBegins is the index of the first entry in the node's log.
func (n *Node) LogBegins() (uint64, error) { return n.raftStore.FirstIndex() }

// HangDisk lets every call to storage hang until release, as a disk may.
func (n *Node) HangDisk() (release func()) {
	n.watch.mu.Lock()
	return n.watch.mu.Unlock
}
