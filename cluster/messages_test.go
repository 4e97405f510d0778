package cluster_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"meridian/cluster"
	"meridian/cluster/clustertest"
	"meridian/store"
)

// sends counts what the nodes of a region write to each other, Raft's streams
// and calls alike: a message is one write to a connection, or more.
type sends struct{ count atomic.Int64 }

// attach counts at both ends of a node's connections.
func (s *sends) attach(_ int, c *cluster.Config) {
	asDeployed(0, c)
	dial, listen := c.Transport.Dial, c.Transport.Listen
	c.Transport.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return countedConn{conn, s}, nil
	}
	c.Transport.Listen = func(network, address string) (net.Listener, error) {
		l, err := listen(network, address)
		if err != nil {
			return nil, err
		}
		return countedListener{l, s}, nil
	}
}

type countedConn struct {
	net.Conn
	sends *sends
}

func (c countedConn) Write(p []byte) (int, error) {
	c.sends.count.Add(1)
	return c.Conn.Write(p)
}

type countedListener struct {
	net.Listener
	sends *sends
}

func (l countedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return countedConn{conn, l.sends}, nil
}

// TestReadsSendNothing counts the messages of a region that rests, and of one
// whose follower reads and seals all the time: renewals and heartbeats, the same
// few a second. That the count would show a message for each read is tried with
// reads that ask for one.
func TestReadsSendNothing(t *testing.T) {
	var messages sends
	r := clustertest.New(t, clustertest.Options{Configure: messages.attach})
	ctx := within(t, time.Minute)
	key, err := clustertest.CreateKey(ctx, r.Node(0), regionName)
	if err != nil {
		t.Fatal(err)
	}
	follower := r.Node(r.Follower())
	seal := func(o cluster.ReadOptions) {
		t.Helper()
		if err := follower.ReadWith(ctx, o, func(v *store.View) error {
			k, err := v.Key(key)
			if err != nil {
				return err
			}
			x, err := follower.Cipher(v, k, k.PrimaryVersion)
			if err == nil {
				x.Seal(nil, make([]byte, 32), nil)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	seal(cluster.ReadOptions{}) // loads the key

	const span = 2 * time.Second
	during := func(f func(end time.Time)) (perSecond float64) {
		before, began := messages.count.Load(), time.Now()
		f(began.Add(span))
		return float64(messages.count.Load()-before) / time.Since(began).Seconds()
	}
	idle := during(func(end time.Time) { time.Sleep(time.Until(end)) })
	reads := 0
	busy := during(func(end time.Time) {
		for time.Now().Before(end) {
			seal(cluster.ReadOptions{})
			reads++
		}
	})
	readsPerSecond := float64(reads) / span.Seconds()
	t.Logf("%.0f messages a second without reads, %.0f beside %.0f reads a second", idle, busy, readsPerSecond)
	if busy > 2*idle || busy > readsPerSecond/10 {
		t.Errorf("%.0f messages a second beside %.0f reads a second, %.0f without", busy, readsPerSecond, idle)
	}

	const asked = 200
	before := messages.count.Load()
	for range asked {
		seal(cluster.ReadOptions{Linearizable: true})
	}
	if sent := messages.count.Load() - before; sent < asked {
		t.Errorf("%d reads that ask the leader sent %d messages", asked, sent)
	}
}
