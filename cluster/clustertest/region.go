// Package clustertest runs the nodes of a region in one process, on loopback,
// with their own data folders, so that tests can write, read, stop and kill them.
package clustertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"meridian/cluster"
	"meridian/cluster/transport"
	"meridian/crypto/seal"
	"meridian/store"
)

// Account of every region that is made here.
const Account = "1234567890123456"

// settleLimit bounds how long a region may take to come to rest.
const settleLimit = 30 * time.Second

// Options describe a region. The zero value is three nodes with timeouts short
// enough for tests.
type Options struct {
	Nodes  int    // default: 3
	Region string // default: cn-test-1
	Prefix string // of the nodes' names; default: n, for n1 and so on
	// Configure changes a node's configuration before each of its starts.
	Configure func(i int, c *cluster.Config)
	// Log takes the nodes' log lines. Default: discarded, unless the environment
	// has MERIDIAN_TEST_LOG, which sends them to standard error.
	Log slog.Handler
}

// Region is a region under test.
type Region struct {
	tb      testing.TB
	options Options
	root    string
	ca      *transport.CA
	rootKey string
	voters  []cluster.Voter
	members []*member

	ctx     context.Context // ends starts that still wait for other nodes
	cancel  context.CancelFunc
	opening sync.WaitGroup
}

// member is one node, running or not.
type member struct {
	dir  string
	cert transport.Config
	link *link

	mu     sync.Mutex
	node   *cluster.Node
	seal   seal.Provider
	exited error // first reason that the node gave for ending its process
}

// New forms a region, waits until every node is ready, and stops all nodes when
// the test ends.
func New(tb testing.TB, o Options) *Region {
	tb.Helper()
	r := Prepare(tb, o)
	for i := range r.members {
		if err := r.Start(i); err != nil && len(r.members) == 1 {
			tb.Fatal(err)
		}
	}
	r.WaitReady()
	r.waitMade()
	return r
}

// waitMade waits until the leader has made all that a new region gets by itself, so that its writes are not taken for a
// test's.
func (r *Region) waitMade() {
	r.tb.Helper()
	ctx, cancel := context.WithTimeout(r.ctx, settleLimit)
	defer cancel()
	for i := range r.members {
		for {
			made := false
			err := r.Node(i).ReadWith(ctx, cluster.ReadOptions{}, func(v *store.View) error {
				keys, err := v.TransportKeys()
				made = len(keys) > 0
				return err
			})
			if err == nil && made {
				break
			}
			select {
			case <-time.After(5 * time.Millisecond):
			case <-ctx.Done():
				r.tb.Fatalf("node %d of a new region has no transport key: %v", i, err)
			}
		}
	}
}

// Prepare lays a region out without starting a node.
func Prepare(tb testing.TB, o Options) *Region {
	tb.Helper()
	if o.Nodes == 0 {
		o.Nodes = 3
	}
	if o.Region == "" {
		o.Region = "cn-test-1"
	}
	if o.Prefix == "" {
		o.Prefix = "n"
	}
	if o.Log == nil {
		o.Log = slog.DiscardHandler
		if os.Getenv("MERIDIAN_TEST_LOG") != "" {
			o.Log = slog.NewTextHandler(os.Stderr, nil)
		}
	}
	r := &Region{tb: tb, options: o, root: tb.TempDir()}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	var err error
	if r.ca, err = transport.NewCA(o.Region); err != nil {
		tb.Fatal(err)
	}
	r.rootKey = filepath.Join(r.root, "root.key")
	if err := seal.GenerateFile(r.rootKey); err != nil {
		tb.Fatal(err)
	}
	for i, address := range freeAddresses(tb, o.Nodes) {
		r.voters = append(r.voters, cluster.Voter{ID: fmt.Sprintf("%s%d", o.Prefix, i+1), Address: address})
		m := &member{dir: filepath.Join(r.root, r.voters[i].ID), cert: r.issue(r.voters[i]), link: newLink()}
		m.cert.Listen, m.cert.Dial = m.link.listen, m.link.dial
		r.members = append(r.members, m)
	}
	tb.Cleanup(r.close)
	return r
}

func (r *Region) issue(v cluster.Voter) transport.Config {
	cert, key, err := r.ca.Issue(v.ID, []string{"127.0.0.1"})
	if err != nil {
		r.tb.Fatal(err)
	}
	write := func(name string, data []byte) string {
		path := filepath.Join(r.root, v.ID+name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			r.tb.Fatal(err)
		}
		return path
	}
	return transport.Config{
		Address: v.Address, CertFile: write(".pem", cert), KeyFile: write(".key", key),
		CAFile: write(".ca.pem", r.ca.CertPEM()),
	}
}

// Config returns the configuration of a node as Start uses it.
func (r *Region) Config(i int) cluster.Config {
	m := r.members[i]
	c := cluster.Config{
		NodeID: r.voters[i].ID, Region: r.options.Region, Account: Account,
		DataDir: m.dir, Voters: r.voters, Transport: m.cert,
		Logger: slog.New(r.options.Log).With("node", r.voters[i].ID),
		Timing: cluster.Timing{
			Heartbeat: 150 * time.Millisecond, LeaderLease: 75 * time.Millisecond, Commit: 5 * time.Millisecond,
			Jobs: 200 * time.Millisecond,
			// An election may outlive leases this short on a busy machine: reads then wait.
			LeaseWait: 4 * time.Second,
		},
		Disk: cluster.Disk{MinFree: 1 << 20, Reserve: -1},
		Exit: func(reason error) { m.exit(reason) },
	}
	if r.options.Configure != nil {
		r.options.Configure(i, &c)
	}
	return c
}

func (m *member) exit(reason error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.exited == nil {
		m.exited = reason
	}
}

// Start starts a node that does not run. The first start of a region with
// several nodes returns before the node is there, because its nodes wait for
// each other; WaitReady waits for them and reports their errors.
func (r *Region) Start(i int) error {
	m := r.members[i]
	c := r.Config(i)
	m.mu.Lock()
	m.exited = nil
	m.mu.Unlock()
	root, err := seal.OpenFile(r.rootKey)
	if err != nil {
		return err
	}
	if c.Seal == nil {
		c.Seal = root
	}
	open := func() error {
		ctx, cancel := context.WithTimeout(r.ctx, settleLimit)
		defer cancel()
		node, err := cluster.Open(ctx, c)
		m.mu.Lock()
		defer m.mu.Unlock()
		if err != nil {
			_ = root.Close()
			m.exited = err
			return err
		}
		m.node, m.seal = node, root
		return nil
	}
	if _, err := os.Stat(filepath.Join(m.dir, "raft.db")); errors.Is(err, os.ErrNotExist) && len(r.members) > 1 {
		r.opening.Go(func() { _ = open() })
		return nil
	}
	return open()
}

// Kill ends a node as a crash would: nothing is handed over.
func (r *Region) Kill(i int) {
	if node, root := r.members[i].take(); node != nil {
		_ = node.Abort()
		_ = root.Close()
	}
}

// Stop ends a node in order.
func (r *Region) Stop(i int) error {
	node, root := r.members[i].take()
	if node == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), settleLimit)
	defer cancel()
	return errors.Join(node.Shutdown(ctx), root.Close())
}

func (m *member) take() (*cluster.Node, seal.Provider) {
	m.mu.Lock()
	defer m.mu.Unlock()
	node, root := m.node, m.seal
	m.node, m.seal = nil, nil
	return node, root
}

// Wipe removes the data folder of a node that does not run.
func (r *Region) Wipe(i int) {
	if err := os.RemoveAll(r.members[i].dir); err != nil {
		r.tb.Fatal(err)
	}
}

// Dir returns the data folder of a node.
func (r *Region) Dir(i int) string { return r.members[i].dir }

// Len returns the number of nodes.
func (r *Region) Len() int { return len(r.members) }

// Node returns a running node, nil when it does not run.
func (r *Region) Node(i int) *cluster.Node {
	m := r.members[i]
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.node
}

// Exited returns why a node ended its process or did not start.
func (r *Region) Exited(i int) error {
	m := r.members[i]
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.exited
}

// Leader waits until some running node leads and returns it.
func (r *Region) Leader() int {
	r.tb.Helper()
	for deadline := time.Now().Add(settleLimit); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		for i := range r.members {
			if n := r.Node(i); n != nil && n.Status().Role == "leader" {
				return i
			}
		}
	}
	r.tb.Fatal("no leader")
	return -1
}

// Follower returns some running node that does not lead.
func (r *Region) Follower() int {
	r.tb.Helper()
	leader := r.Leader()
	for i := range r.members {
		if i != leader && r.Node(i) != nil {
			return i
		}
	}
	r.tb.Fatal("no follower")
	return -1
}

// WaitReady waits until every node runs and is ready.
func (r *Region) WaitReady() {
	r.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), settleLimit)
	defer cancel()
	for i := range r.members {
		for {
			err := r.Exited(i)
			if err != nil {
				r.tb.Fatalf("node %s: %v", r.voters[i].ID, err)
			}
			if n := r.Node(i); n != nil {
				if err = n.Ready(ctx); err == nil {
					break
				}
			}
			if ctx.Err() != nil {
				r.tb.Fatalf("node %s is not ready: %v", r.voters[i].ID, err)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// close stops whatever runs.
func (r *Region) close() {
	r.cancel()
	r.opening.Wait()
	var wg sync.WaitGroup
	for i := range r.members {
		wg.Go(func() { r.Kill(i) })
	}
	wg.Wait()
}

// given are the addresses that a region of this process has: its nodes may not
// run at the moment.
var given sync.Map

// freeAddresses finds ports of loopback that nobody listens on and no other
// region has.
func freeAddresses(tb testing.TB, count int) []string {
	tb.Helper()
	var addresses []string
	var open []io.Closer
	for len(addresses) < count {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			tb.Fatal(err)
		}
		open = append(open, l)
		if _, taken := given.LoadOrStore(l.Addr().String(), true); !taken {
			addresses = append(addresses, l.Addr().String())
		}
	}
	for _, l := range open {
		_ = l.Close()
	}
	return addresses
}

// listenAgain listens on an address that a stopped node may not have left yet.
func listenAgain(network, address string) (net.Listener, error) {
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		l, err := net.Listen(network, address)
		if err == nil || time.Now().After(deadline) {
			return l, err
		}
	}
}

// Stranger returns the configuration of one node more than the region has, with
// a certificate of its CA and all of them as voters.
func (r *Region) Stranger(id string) cluster.Config {
	v := cluster.Voter{ID: id, Address: freeAddresses(r.tb, 1)[0]}
	c := r.Config(0)
	c.NodeID, c.DataDir, c.Transport = id, filepath.Join(r.root, id), r.issue(v)
	c.Voters = append(append([]cluster.Voter(nil), r.voters...), v)
	c.Exit = func(error) {}
	return c
}
