package cluster

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"meridian/cluster/transport"
)

// deadEnd is a stream layer whose peers cannot be reached.
type deadEnd struct{ dials chan time.Time }

func (d deadEnd) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (d deadEnd) Close() error              { return nil }
func (d deadEnd) Addr() net.Addr            { return &net.TCPAddr{} }
func (d deadEnd) Dial(raft.ServerAddress, time.Duration) (net.Conn, error) {
	d.dials <- time.Now()
	return nil, fmt.Errorf("%w: connection refused", transport.ErrUnreachable)
}

func TestReplicationWaitsForAPeerInsteadOfFailing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var leads, failing atomic.Bool
		leads.Store(true)
		failing.Store(true)
		p := &patientTransport{
			NetworkTransport: new(raft.NetworkTransport), // open, for IsShutdown
			leading:          func(term uint64) bool { return leads.Load() && term == 7 },
		}
		sent := 0
		send := func() error {
			sent++
			if failing.Load() {
				return transport.ErrUnreachable
			}
			return nil
		}
		started := time.Now()
		go func() { time.Sleep(20 * time.Second); failing.Store(false) }()
		if err := p.insist(7, send); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(started); waited < 20*time.Second || waited > 20*time.Second+2*redial {
			t.Errorf("the peer came back after 20s, it was reached after %v", waited)
		}
		failing.Store(true)
		sent = 0
		if err := p.insist(6, send); !errors.Is(err, transport.ErrUnreachable) || sent != 1 {
			t.Errorf("another term: %v after %d attempts", err, sent)
		}
		started = time.Now()
		go func() { time.Sleep(time.Second); leads.Store(false) }()
		if err := p.insist(7, send); err == nil || time.Since(started) > 2*time.Second {
			t.Errorf("deposed: %v after %v", err, time.Since(started))
		}
		leads.Store(true)
		started = time.Now()
		if err := p.insist(7, send); err == nil || time.Since(started) > 2*patience {
			t.Errorf("for ever: %v after %v", err, time.Since(started))
		}
		broken := errors.New("connection reset")
		if err := p.insist(7, func() error { return broken }); !errors.Is(err, broken) {
			t.Errorf("an error of a request that was sent: %v", err)
		}
	})
}

func TestHeartbeatsAreNotHeldUp(t *testing.T) {
	layer := deadEnd{dials: make(chan time.Time, 16)}
	net := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{Stream: layer, Timeout: time.Second, Logger: newRaftLogger(slog.New(slog.DiscardHandler))})
	defer net.Close()
	p := &patientTransport{NetworkTransport: net, leading: func(uint64) bool { return true }}
	err := p.AppendEntries("b", "b:1", &raft.AppendEntriesRequest{Term: 7}, new(raft.AppendEntriesResponse))
	if !errors.Is(err, transport.ErrUnreachable) || len(layer.dials) != 1 {
		t.Errorf("heartbeat: %v after %d attempts, want one", err, len(layer.dials))
	}
}
