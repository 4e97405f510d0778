package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"meridian/cluster/clusterpb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testCA makes a CA and writes node certificates into folders of the test.
type testCA struct {
	t  *testing.T
	ca *CA
}

func newTestCA(t *testing.T, region string) testCA {
	t.Helper()
	ca, err := NewCA(region)
	if err != nil {
		t.Fatal(err)
	}
	return testCA{t, ca}
}

func (c testCA) config(nodeID string) Config {
	c.t.Helper()
	dir := c.t.TempDir()
	cert, key, err := c.ca.Issue(nodeID, []string{"127.0.0.1"})
	if err != nil {
		c.t.Fatal(err)
	}
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			c.t.Fatal(err)
		}
		return path
	}
	return Config{
		Region: c.ca.region, NodeID: nodeID, Address: "127.0.0.1:0",
		CertFile: write("node.pem", cert), KeyFile: write("node.key", key), CAFile: write("ca.pem", c.ca.CertPEM()),
	}
}

type echo struct {
	clusterpb.UnimplementedInternodeServer
	senders chan string
}

func (e *echo) ReadIndex(ctx context.Context, _ *clusterpb.ReadIndexRequest) (*clusterpb.ReadIndexResponse, error) {
	e.senders <- Sender(ctx)
	return &clusterpb.ReadIndexResponse{Index: 7}, nil
}

func open(t *testing.T, cfg Config) (*Transport, *echo) {
	t.Helper()
	tr, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	e := &echo{senders: make(chan string, 16)}
	clusterpb.RegisterInternodeServer(tr.Server(), e)
	tr.Start()
	t.Cleanup(func() { _ = tr.Close() })
	return tr, e
}

func TestCallNamesItsSenderByCertificate(t *testing.T) {
	ca := newTestCA(t, "r1")
	a, _ := open(t, ca.config("a"))
	b, e := open(t, ca.config("b"))
	conn, err := a.Client("b", b.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ctx, sent := WatchSend(t.Context())
	answer, err := clusterpb.NewInternodeClient(conn).ReadIndex(ctx, &clusterpb.ReadIndexRequest{})
	if err != nil || answer.Index != 7 {
		t.Fatalf("answer %v, error %v", answer, err)
	}
	if id := <-e.senders; id != "a" {
		t.Errorf("sender %q, want a", id)
	}
	if !sent.Left() {
		t.Error("a call that was answered is said not to have left")
	}
}

func TestRaftStreamsPass(t *testing.T) {
	ca := newTestCA(t, "r1")
	a, _ := open(t, ca.config("a"))
	b, _ := open(t, ca.config("b"))
	out, err := a.Raft().Dial(raft.ServerAddress(b.Addr().String()), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	in, err := b.Raft().Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := out.Write([]byte("entry")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(in, got); err != nil || string(got) != "entry" {
		t.Fatalf("read %q, %v", got, err)
	}
	// Closing a transport ends the streams that Raft would leave open.
	_ = b.Close()
	if _, err := out.Read(got); err == nil {
		t.Error("stream still open after Close")
	}
}

func TestRaftStreamOfNoMemberIsRefused(t *testing.T) {
	ca := newTestCA(t, "r1")
	cfg := ca.config("b")
	cfg.Member = func(id string) bool { return id == "a" }
	b, _ := open(t, cfg)
	address := raft.ServerAddress(b.Addr().String())
	rogue, _ := open(t, ca.config("retired"))
	out, err := rogue.Raft().Dial(address, time.Second) // its own side of the handshake may be done first
	if err == nil {
		_ = out.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := out.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the stream stays open: %v", err)
		}
	}
	a, _ := open(t, ca.config("a"))
	if _, err := a.Raft().Dial(address, time.Second); err != nil {
		t.Fatal(err)
	}
	conn, err := b.Raft().Accept()
	if err != nil {
		t.Fatal(err)
	}
	if id := conn.(*raftConn).Conn.(*peerConn).nodeID; id != "a" {
		t.Errorf("accepted a stream of %s", id)
	}
}

func TestPeersAreRefused(t *testing.T) {
	ca := newTestCA(t, "r1")
	server, _ := open(t, ca.config("server"))
	address := server.Addr().String()

	stranger := newTestCA(t, "r1") // same names, other CA
	foreign := newTestCA(t, "r2")
	// A certificate of the right CA which names another region.
	misissued := newTestCA(t, "r1")
	misissued.ca.key, misissued.ca.cert, misissued.ca.region = ca.ca.key, ca.ca.cert, "r9"

	for _, test := range []struct {
		name string
		from Config
	}{
		{"certificate of another CA", stranger.config("a")},
		{"another region", foreign.config("a")},
		{"right CA, wrong region", misissued.config("a")},
	} {
		t.Run(test.name, func(t *testing.T) {
			client, err := Open(test.from)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			conn, err := client.Raft().Dial(raft.ServerAddress(address), time.Second)
			if err == nil {
				// Under TLS 1.3 a client learns of its refusal with the first read.
				_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
				_, err = conn.Read(make([]byte, 1))
			}
			if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("not refused: %v", err)
			}
		})
	}

	t.Run("no certificate", func(t *testing.T) {
		conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{ProtocolRPC}})
		if err == nil {
			_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
			_, err = conn.Read(make([]byte, 1))
			_ = conn.Close()
		}
		if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("not refused: %v", err)
		}
	})
	member, _ := open(t, ca.config("m"))
	for name, adapt := range map[string]func(*tls.Config){
		"no protocol":      func(c *tls.Config) { c.NextProtos = nil },
		"unknown protocol": func(c *tls.Config) { c.NextProtos = []string{"h2"} },
		"TLS 1.2":          func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12 },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := member.credentials.client("", ProtocolRPC)
			cfg.VerifyConnection = nil
			adapt(cfg)
			conn, err := tls.Dial("tcp", address, cfg)
			if err == nil {
				_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
				_, err = conn.Read(make([]byte, 1))
				_ = conn.Close()
			}
			if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("not refused: %v", err)
			}
		})
	}
}

func TestDialRefusesAnotherNode(t *testing.T) {
	ca := newTestCA(t, "r1")
	b, _ := open(t, ca.config("b"))
	cfg := ca.config("a")
	cfg.PeerID = func(string) (string, bool) { return "c", true }
	a, _ := open(t, cfg)
	if _, err := a.Raft().Dial(raft.ServerAddress(b.Addr().String()), time.Second); !errors.Is(err, ErrPeer) {
		t.Fatalf("error %v, want ErrPeer", err)
	}
}

// TestDialGoesByWay reaches a node, known under an address where nobody listens,
// at the address that the configuration gives for it.
func TestDialGoesByWay(t *testing.T) {
	ca := newTestCA(t, "r1")
	b, _ := open(t, ca.config("b"))
	const unreachable = "127.0.0.1:1"
	cfg := ca.config("a")
	cfg.PeerID = func(string) (string, bool) { return "b", true }
	cfg.Via = map[string]string{"b": b.Addr().String()}
	a, _ := open(t, cfg)
	conn, err := a.Raft().Dial(unreachable, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	rpc, err := a.Client("b", unreachable)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := clusterpb.NewInternodeClient(rpc).ReadIndex(t.Context(), &clusterpb.ReadIndexRequest{}); err != nil {
		t.Error(err)
	}
	cfg.Via["b"] = "nowhere"
	if _, err := Open(cfg); err == nil || !strings.Contains(err.Error(), "dialling b") {
		t.Errorf("error %v, want one about dialling b", err)
	}
}

func TestCallThatNeverLeft(t *testing.T) {
	ca := newTestCA(t, "r1")
	a, _ := open(t, ca.config("a"))
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := gone.Addr().String()
	_ = gone.Close()
	conn, err := a.Client("b", address)
	if err != nil {
		t.Fatal(err)
	}
	ctx, sent := WatchSend(t.Context())
	_, err = clusterpb.NewInternodeClient(conn).ReadIndex(ctx, &clusterpb.ReadIndexRequest{})
	if status.Code(err) != codes.Unavailable {
		t.Fatalf("error %v, want Unavailable", err)
	}
	if sent.Left() {
		t.Error("a refused connection counts as a call that left")
	}
}

func TestUnauthenticatedPeersAreBounded(t *testing.T) {
	ca := newTestCA(t, "r1")
	server, _ := open(t, ca.config("server"))
	t.Run("bytes", func(t *testing.T) {
		conn, err := net.Dial("tcp", server.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		// A stream of small TLS records that never become a handshake.
		junk := strings.Repeat("\x16\x03\x01\x40\x00"+strings.Repeat("\x01\x00\x3f\xfc", 4096), 8)
		_, _ = conn.Write([]byte(junk))
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("connection still open after more bytes than a handshake has")
		}
	})
	t.Run("connections", func(t *testing.T) {
		var conns []net.Conn
		defer func() {
			for _, c := range conns {
				_ = c.Close()
			}
		}()
		refused := false
		for range handshakesAtOnce + 8 {
			conn, err := net.Dial("tcp", server.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			conns = append(conns, conn)
		}
		for _, conn := range conns[handshakesAtOnce:] {
			_ = conn.SetReadDeadline(time.Now().Add(handshakeTimeout / 2))
			if _, err := conn.Read(make([]byte, 1)); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
				refused = true
				break
			}
		}
		if !refused {
			t.Error("silent connections are taken without bound")
		}
	})
}

func TestLimitedConn(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	go func() { _, _ = far.Write(make([]byte, 64)); _ = far.Close() }()
	c := &limitedConn{Conn: near, left: 10}
	n, err := io.ReadFull(c, make([]byte, 20))
	if n != 10 || !errors.Is(err, errTooMuch) {
		t.Fatalf("read %d, %v; want 10 and the limit", n, err)
	}
	c.lift()
	if n, _ := io.ReadFull(c, make([]byte, 20)); n != 20 {
		t.Fatalf("after lift read %d, want 20", n)
	}
}

func TestOpenNamesWhatIsWrong(t *testing.T) {
	ca := newTestCA(t, "r1")
	other := newTestCA(t, "r1").config("a")
	for name, test := range map[string]struct {
		cfg  func(Config) Config
		want string
	}{
		"nothing set":       {func(Config) Config { return Config{} }, "no address"},
		"address no port":   {func(c Config) Config { c.Address = "127.0.0.1"; return c }, "missing port"},
		"no CA file":        {func(c Config) Config { c.CAFile = "/nowhere"; return c }, "cluster CA"},
		"CA without cert":   {func(c Config) Config { c.CAFile = c.KeyFile; return c }, "no certificate"},
		"other node's cert": {func(c Config) Config { c.NodeID = "z"; return c }, `names node "a"`},
		"other region":      {func(c Config) Config { c.Region = "z"; return c }, `region "r1"`},
		"other CA":          {func(c Config) Config { c.CAFile = other.CAFile; return c }, "not of the CA"},
		"key of another":    {func(c Config) Config { c.KeyFile = other.KeyFile; return c }, "cluster certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			tr, err := Open(test.cfg(ca.config("a")))
			if err == nil {
				_ = tr.Close()
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %q does not say %q", err, test.want)
			}
		})
	}
}

func TestRenewedCertificateIsUsed(t *testing.T) {
	ca := newTestCA(t, "r1")
	cfg := ca.config("a")
	creds, err := loadCredentials(&cfg)
	if err != nil {
		t.Fatal(err)
	}
	before, _ := creds.certificate()
	renewed := ca.config("a")
	later := time.Now().Add(time.Minute)
	for from, to := range map[string]string{renewed.KeyFile: cfg.KeyFile, renewed.CertFile: cfg.CertFile} {
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(cfg.CertFile, later, later); err != nil {
		t.Fatal(err)
	}
	after, err := creds.certificate()
	if err != nil || before.Leaf.SerialNumber.Cmp(after.Leaf.SerialNumber) == 0 {
		t.Fatalf("certificate not renewed (%v)", err)
	}
	if err := os.Remove(cfg.CertFile); err != nil {
		t.Fatal(err)
	}
	if again, err := creds.certificate(); err != nil || again != after {
		t.Fatalf("a missing file takes the certificate away: %v", err)
	}
}

func TestIssueRefusesNamesThatDoNotRoundTrip(t *testing.T) {
	ca := newTestCA(t, "r1")
	for _, id := range []string{"", "a/b"} {
		if _, _, err := ca.ca.Issue(id, nil); err == nil {
			t.Errorf("node id %q accepted", id)
		}
	}
}

// A certificate's URI either names a node exactly as Issue writes it, or is refused.
func FuzzNodeName(f *testing.F) {
	for _, uri := range []string{
		"spiffe://meridian/r1/n1", "spiffe://meridian/r1", "spiffe://meridian/r1/n1/x", "spiffe://meridian//n1",
		"spiffe://other/r1/n1", "https://meridian/r1/n1", "spiffe://u@meridian/r1/n1", "spiffe://meridian/r1/n1?x", "spiffe://meridian/r%2f1/n1",
	} {
		f.Add(uri)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		u, err := url.Parse(uri)
		if err != nil {
			return
		}
		region, id, err := nodeName(&x509.Certificate{URIs: []*url.URL{u}})
		if err != nil {
			return
		}
		if region == "" || id == "" || strings.ContainsRune(region+id, '/') {
			t.Errorf("%q names region %q, node %q", uri, region, id)
		}
		if want := "/" + region + "/" + id; u.Path != want || u.Scheme != "spiffe" || u.Host != "meridian" || u.RawQuery != "" {
			t.Errorf("%q taken for %s", uri, want)
		}
	})
}
