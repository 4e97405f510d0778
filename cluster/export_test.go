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
