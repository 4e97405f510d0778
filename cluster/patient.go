package cluster

import (
	"errors"
	"io"
	"time"

	"github.com/hashicorp/raft"

	"meridian/cluster/transport"
)

const (
	// patience bounds one wait for a peer that cannot be reached.
	patience = time.Minute
	// redial is the time between two attempts.
	redial = 50 * time.Millisecond
)

// patientTransport waits for a peer that cannot be reached instead of failing.
// Raft doubles its pause after each failed request, up to 10 seconds, and a node
// that returns gets nothing but heartbeats until the pause is over: it is a
// member, but its state is old, and its reads would wait.
type patientTransport struct {
	*raft.NetworkTransport
	// leading reports whether requests of a term still make sense.
	leading func(term uint64) bool
}

var (
	_ raft.Transport   = (*patientTransport)(nil)
	_ raft.WithPreVote = (*patientTransport)(nil)
	_ raft.WithClose   = (*patientTransport)(nil)
)

// AppendEntries passes heartbeats through at once: they carry no log position.
func (t *patientTransport) AppendEntries(id raft.ServerID, target raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	send := func() error { return t.NetworkTransport.AppendEntries(id, target, args, resp) }
	if args.PrevLogEntry == 0 && args.LeaderCommitIndex == 0 && len(args.Entries) == 0 {
		return send()
	}
	return t.insist(args.Term, send)
}

// InstallSnapshot may repeat the call with the same data: nothing of it is read
// before there is a connection.
func (t *patientTransport) InstallSnapshot(id raft.ServerID, target raft.ServerAddress, args *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader) error {
	return t.insist(args.Term, func() error { return t.NetworkTransport.InstallSnapshot(id, target, args, resp, data) })
}

// insist sends until the peer could be reached, the term is over, or patience is.
func (t *patientTransport) insist(term uint64, send func() error) error {
	for giveUp := time.Now().Add(patience); ; time.Sleep(redial) {
		err := send()
		if !errors.Is(err, transport.ErrUnreachable) || t.IsShutdown() || !t.leading(term) || time.Now().After(giveUp) {
			return err
		}
	}
}
