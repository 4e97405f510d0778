package cluster

import (
	"context"

	"github.com/hashicorp/raft"
)

// watchPeers says once that a peer no longer answers this leader, and once that
// it answers again: Raft itself would say so with each failed heartbeat.
func (n *Node) watchPeers(ctx context.Context, observed <-chan raft.Observation) {
	mute := make(map[raft.ServerID]bool)
	for {
		select {
		case <-ctx.Done():
			return
		case o := <-observed:
			switch seen := o.Data.(type) {
			case raft.LeaderObservation:
				clear(mute) // whoever leads finds out anew
			case raft.FailedHeartbeatObservation:
				if !mute[seen.PeerID] && !n.stopping.Load() {
					mute[seen.PeerID] = true
					n.log.Warn("a peer does not answer", "peer", string(seen.PeerID))
				}
			case raft.ResumedHeartbeatObservation:
				if mute[seen.PeerID] {
					delete(mute, seen.PeerID)
					n.log.Info("a peer answers again", "peer", string(seen.PeerID))
				}
			}
		}
	}
}

// observePeers starts watchPeers.
func (n *Node) observePeers() {
	observed := make(chan raft.Observation, 64)
	n.raft.RegisterObserver(raft.NewObserver(observed, false, func(o *raft.Observation) bool {
		switch o.Data.(type) {
		case raft.LeaderObservation, raft.FailedHeartbeatObservation, raft.ResumedHeartbeatObservation:
			return true
		}
		return false
	}))
	n.spawn(func() { n.watchPeers(n.ctx, observed) })
}
