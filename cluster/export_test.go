package cluster

import (
	"context"
	"fmt"
	"io"
	"maps"
	"reflect"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"

	"meridian/crypto"
	"meridian/store/storepb"
)

// ReadTries is how often a read does its work at the most.
const ReadTries = readTries

// JobBatch is how many keys the leader's jobs take in one go.
const JobBatch = jobBatch

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

// Overtaken has every read find its view too old, until restore is called. No
// read may run meanwhile.
func (n *Node) Overtaken() (restore func()) {
	checked := n.freshness
	n.freshness = overtaken{}
	return func() { n.freshness = checked }
}

type overtaken struct{ unchecked }

func (overtaken) Check(Ticket, uint64) error { return ErrStale }

type unchecked struct{}

func (unchecked) Admit(context.Context, bool) (Ticket, error) { return Ticket{}, nil }
func (unchecked) Check(Ticket, uint64) error                  { return nil }

// SendAgain has the leader n ask another node whether its log follows on behind its
// newest snapshot, as it does when an answer was lost.
func (n *Node) SendAgain(to *Node) (follows bool, err error) {
	meta, _, err := to.snapshots.newest()
	if err != nil {
		return false, err
	}
	var answer raft.AppendEntriesResponse
	err = n.raftNet.AppendEntries(raft.ServerID(to.cfg.NodeID), to.raftNet.LocalAddr(), &raft.AppendEntriesRequest{
		RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(n.cfg.NodeID), Addr: []byte(n.raftNet.LocalAddr())},
		Term:      n.raft.CurrentTerm(), PrevLogEntry: meta.Index, PrevLogTerm: meta.Term,
	}, &answer)
	return answer.Success, err
}

// TakeSnapshot has Raft make a snapshot.
func (n *Node) TakeSnapshot() error { return n.raft.Snapshot().Error() }

// SnapshotWaits reports whether a snapshot that Raft makes holds the state and waits
// for Raft's main goroutine, which nothing else asks for the configuration. Raft
// does not tell, but for the length of that goroutine's queue.
func (n *Node) SnapshotWaits() bool {
	return reflect.ValueOf(n.raft).Elem().FieldByName("configurationsCh").Len() > 0
}

// LogBegins is the index of the first entry in the node's log.
func (n *Node) LogBegins() (uint64, error) { return n.raftStore.FirstIndex() }

// HangDisk lets every call to storage hang until release, as a disk may.
func (n *Node) HangDisk() (release func()) {
	n.watch.mu.Lock()
	return n.watch.mu.Unlock
}

// HangApply keeps the state from taking entries until release, as a snapshot that
// does not come to an end would; the log goes on.
func (n *Node) HangApply() (release func()) {
	r, w := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = n.store.Restore(r)
	}()
	_, _ = w.Write([]byte("M")) // taken once nothing else changes the state
	return func() {
		_ = w.CloseWithError(io.ErrUnexpectedEOF)
		<-done
	}
}

// HandTo hands leadership to a node.
func (n *Node) HandTo(to *Node) error {
	for _, v := range n.cfg.Voters {
		if v.ID == to.cfg.NodeID {
			return n.raft.LeadershipTransferToServer(raft.ServerID(v.ID), raft.ServerAddress(v.Address)).Error()
		}
	}
	return raft.ErrNotVoter
}

// IsReady reports whether material of a key is in memory, ready to use.
func (n *Node) IsReady(key crypto.KeyID) bool {
	_, ok := n.ciphers.cache.GetIfPresent(key)
	return ok
}

// LookAtDisk measures the free space now.
func (n *Node) LookAtDisk() { n.space.look() }

// Forward sends commands to the leader in one call and returns the outcomes.
func (n *Node) Forward(commands ...*storepb.Command) (outcomes []string, err error) {
	var group []*proposal
	for _, c := range commands {
		data, err := proto.Marshal(c)
		if err != nil {
			return nil, err
		}
		group = append(group, newProposal(data, time.Now().Add(n.cfg.Timing.Hold)))
	}
	for _, a := range n.send(n.reigns.current(), group) {
		outcomes = append(outcomes, a.outcome.String())
	}
	return outcomes, nil
}

// ForwardPadded sends one command with so many bytes, by repeating its id.
func (n *Node) ForwardPadded(c *storepb.Command, size int) (outcome string, err error) {
	data, err := proto.Marshal(c)
	if err != nil {
		return "", err
	}
	field, err := proto.Marshal(&storepb.Command{Id: c.Id})
	if err != nil {
		return "", err
	}
	for size-len(data) >= 3*len(field) {
		data = append(data, field...)
	}
	// The rest is one id that is longer, then nothing may follow but the true one.
	longer, err := proto.Marshal(&storepb.Command{Id: make([]byte, size-len(data)-len(field)-2)})
	if err != nil {
		return "", err
	}
	data = append(append(data, longer...), field...)
	if len(data) != size {
		return "", fmt.Errorf("padded to %d bytes, not %d", len(data), size)
	}
	a := n.send(n.reigns.current(), []*proposal{newProposal(data, time.Now().Add(n.cfg.Timing.Hold))})
	return a[0].outcome.String(), nil
}

// Waiting is the number of writes under way at this leader.
func (n *Node) Waiting() int64 { return n.waiting.Load() }

// ReadyTransportKeys are those that the node keeps ready.
func (n *Node) ReadyTransportKeys() map[uint32]*crypto.TransportKey {
	n.dataKeys.mu.Lock()
	defer n.dataKeys.mu.Unlock()
	return maps.Clone(n.dataKeys.ready)
}
