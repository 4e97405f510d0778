package config

import (
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"meridian/cluster"
	"meridian/cluster/access"
	"meridian/cluster/api"
	"meridian/crypto"
)

var accountForm = regexp.MustCompile(`^[0-9]{1,32}$`)

// maxHold bounds raft.hold: an answer must be written within 45 s of the head of
// its request, whose body may take 15 s of them.
const maxHold = 30 * time.Second

// checker collects what is wrong with well-typed values.
type checker struct {
	l        *Loaded
	file     string          // as the caller wrote it
	unread   map[string]bool // paths that are reported already
	problems Problems
}

// check judges the values and how they fit together. What could not be read is
// not judged a second time.
func (l *Loaded) check(file string, unread map[string]bool) Problems {
	c := &checker{l: l, file: file, unread: unread}
	c.identity()
	c.listeners()
	c.ports()
	c.cluster()
	c.dial()
	c.access()
	c.limits()
	c.peers()
	c.timings()
	return c.problems
}

// fail reports a value at its place, or the file for one that nobody set.
func (c *checker) fail(path, format string, args ...any) {
	if c.unread[path] {
		return
	}
	where, set := c.l.origins[path]
	if !set {
		where = c.file
	}
	c.problems = append(c.problems, Problem{Where: where, Text: path + " " + fmt.Sprintf(format, args...)})
}

func (c *checker) required(path, value, what string) bool {
	if value == "" {
		c.fail(path, "is missing: %s", what)
		return false
	}
	return true
}

func (c *checker) identity() {
	cfg := &c.l.Config
	if c.required("node.id", cfg.Node.ID, "a name for this node, unique in its region") && !cluster.ValidNodeID(cfg.Node.ID) {
		c.fail("node.id", "is %q; take 1 to 64 letters, digits, dots, hyphens or underscores, a letter or digit first", cfg.Node.ID)
	}
	c.required("node.data", cfg.Node.Data, "a folder for the node's state")
	if c.required("region.id", cfg.Region.ID, "a name for the region, as in ARNs") && !crypto.ValidRegion(cfg.Region.ID) {
		c.fail("region.id", "is %q; take 1 to %d lower-case letters, digits or hyphens", cfg.Region.ID, crypto.MaxRegionBytes)
	}
	if c.required("region.account", cfg.Region.Account, "the account's number, as in ARNs") && !accountForm.MatchString(cfg.Region.Account) {
		c.fail("region.account", "is %q; an account is a number of at most 32 digits", cfg.Region.Account)
	}
	if cfg.Log.Level != "debug" && cfg.Log.Level != "info" && cfg.Log.Level != "warn" && cfg.Log.Level != "error" {
		c.fail("log.level", "is %q; it is one of debug, info, warn, error", cfg.Log.Level)
	}
	if cfg.Log.Format != "json" && cfg.Log.Format != "text" {
		c.fail("log.format", "is %q; it is json or text", cfg.Log.Format)
	}
}

func (c *checker) listeners() {
	l := &c.l.Config.Listen
	if l.API.Address == "" && l.HTTP.Address == "" {
		c.fail("listen.api.address", "is empty and so is listen.http.address: nothing would serve the API")
	}
	if c.address("listen.api.address", l.API.Address) {
		c.required("listen.api.tls.cert", l.API.TLS.Cert, "a certificate for listen.api")
		c.required("listen.api.tls.key", l.API.TLS.Key, "the key of listen.api.tls.cert")
	}
	c.address("listen.http.address", l.HTTP.Address)
	c.address("listen.ops.address", l.Ops.Address)
	c.socket("listen.pprof.socket", l.Pprof.Socket)
	if c.required("listen.cluster.address", l.Cluster.Address, "host:port for the other nodes") {
		c.address("listen.cluster.address", l.Cluster.Address)
	}
	advertised, path := l.Cluster.Advertise, "listen.cluster.advertise"
	if advertised == "" {
		advertised = l.Cluster.Address
	}
	if host, port, err := net.SplitHostPort(advertised); err == nil {
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			c.fail(path, "is missing: other nodes cannot reach %q; give the host:port under which they do", advertised)
		} else if port == "0" {
			c.fail(path, "needs a port that other nodes can know, not 0")
		}
	} else if l.Cluster.Advertise != "" {
		c.fail(path, "is %q; write host:port", advertised)
	}
	c.required("listen.cluster.tls.cert", l.Cluster.TLS.Cert, "this node's certificate by the region's CA")
	c.required("listen.cluster.tls.key", l.Cluster.TLS.Key, "the key of listen.cluster.tls.cert")
	c.required("listen.cluster.tls.ca", l.Cluster.TLS.CA, "the certificate of the region's CA")
	for i, name := range l.Names {
		if name == "" || strings.ContainsAny(name, "/:@ ") && net.ParseIP(name) == nil {
			c.fail("listen.names", "[%d] is %q; write a host name or address without port", i, name)
		}
	}
}

// socket checks where a unix socket will be made: an older one there is replaced,
// anything else is left alone.
func (c *checker) socket(path, name string) {
	if name == "" {
		return
	}
	if info, err := os.Lstat(name); err == nil && info.Mode().Type() != os.ModeSocket {
		c.fail(path, "is %s, which is there and is no socket: it would have to be removed", name)
	}
}

// address checks host:port; empty is fine and answers false.
func (c *checker) address(path, address string) bool {
	if address == "" {
		return false
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		c.fail(path, "is %q; write host:port, or :port for all addresses", address)
		return true
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		c.fail(path, "is %q; a port is a number up to 65535", address)
	}
	return true
}

func (c *checker) cluster() {
	const path = "bootstrap.voters"
	voters := c.l.Config.Bootstrap.Voters
	if len(voters) == 0 {
		c.fail(path, "is missing: the nodes that form the region, id and address of each")
		return
	}
	list := make([]cluster.Voter, len(voters))
	for i, v := range voters {
		list[i] = cluster.Voter{ID: v.ID, Address: v.Address}
	}
	for _, err := range cluster.CheckVoters(c.l.Config.Node.ID, list) {
		c.fail(path, "cannot form a region: %v", err)
	}
	c.ownVoter()
}

// dial checks the addresses at which other nodes are reached.
func (c *checker) dial() {
	const path = "cluster.dial"
	dial := c.l.Config.Cluster.Dial
	for _, id := range slices.Sorted(maps.Keys(dial)) {
		switch host, port, err := net.SplitHostPort(dial[id]); {
		case id == c.l.Config.Node.ID:
			c.fail(path, "names this node itself, %q", id)
		case !cluster.ValidNodeID(id):
			c.fail(path, "names %q, which is not a node id", id)
		case err != nil || host == "" || port == "" || port == "0":
			c.fail(path, "has %q for %s; write host:port", dial[id], id)
		}
	}
}

func (c *checker) access() {
	a := &c.l.Config.Access.Root
	if c.required("access.root.id", a.ID, "the access key id of the account's root") && !access.ValidKeyID(a.ID) {
		c.fail("access.root.id", "is not an access key id: take 1 to 128 letters, digits, dots, hyphens or underscores")
	}
	c.required("access.root.secret", string(a.Secret), "where its secret is: file://PATH or env://NAME")
	if _, known := access.ParseSignature(a.MinSignature); !known {
		c.fail("access.root.min_signature", "is %q; it is v1 or v3", a.MinSignature)
	}
	s := &c.l.Config.Seal
	if s.Type != SealFile {
		c.fail("seal.type", "is %q; it is file", s.Type)
	}
	if !c.required("seal.path", s.Path, "the root key file; make one with: meridian seal keygen PATH") {
		return
	}
	if data := c.l.Config.Node.Data; data != "" && (within(data, s.Path) || within(followLinks(data), followLinks(s.Path))) {
		c.fail("seal.path", "lies inside node.data: whoever copies the data would have its key too")
	}
}

// within reports whether path is folder or lies below it, by their names.
func within(folder, path string) bool {
	rel, err := filepath.Rel(folder, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// followLinks follows the symbolic links in a path as far as it exists: node.data
// is made by the first start, and the root key may be put there later.
func followLinks(path string) string {
	whole, err := filepath.EvalSymlinks(path)
	if err == nil {
		return whole
	}
	parent := filepath.Dir(path)
	if parent == path {
		return path
	}
	return filepath.Join(followLinks(parent), filepath.Base(path))
}

func (c *checker) limits() {
	l := &c.l.Config.Limits
	c.between("limits.keys", l.Keys, 1, 100_000_000)
	c.between("limits.aliases", l.Aliases, 1, 100_000_000)
	c.between("limits.key_versions", l.KeyVersions, 1, 1_000_000_000)
	if v := l.VersionInterval; v < 0 || v > 366*24*time.Hour {
		c.fail("limits.version_interval", "is %s; from 0s to 8784h", v)
	}
	c.between("limits.plaintext", l.Plaintext, 1, api.MaxPlaintext)
	c.between("limits.nonces_per_key", l.NoncesPerKey, 1000, 1_000_000_000)
	c.between("limits.connections_per_address", l.Connections, 1, 1_000_000)
	m := &c.l.Config.Memory
	c.between("memory.gogc", m.GOGC, 10, 10_000)
	if m.Limit != 0 && m.Limit < 64*MiB {
		c.fail("memory.limit", "is %s; less than 64MiB leaves no room to work", m.Limit)
	}
}

func (c *checker) between(path string, n, low, high int) {
	if n < low || n > high {
		c.fail(path, "is %d; it is %d to %d", n, low, high)
	}
}

func (c *checker) peers() {
	seen := map[string]bool{}
	for i, p := range c.l.Config.Peers {
		switch {
		case !crypto.ValidRegion(p.Region):
			c.fail("peers", "[%d].region is %q; it names the other region", i, p.Region)
		case p.Region == c.l.Config.Region.ID:
			c.fail("peers", "[%d].region is this region itself", i)
		case seen[p.Region]:
			c.fail("peers", "names %q twice", p.Region)
		}
		if _, ok := p.TransportKeyHashes(); !ok {
			c.fail("peers", "[%d].transport_key is %q; write sha256: and the 64 hex digits of the public key's hash", i, p.TransportKey)
		}
		seen[p.Region] = true
	}
	if allow := c.l.Config.Export.Allow; allow != ExportPinned && allow != ExportAny {
		c.fail("export.allow", "is %q; it is %s or %s", allow, ExportPinned, ExportAny)
	}
}

func (c *checker) timings() {
	r := &c.l.Config.Raft
	const floor = 50 * time.Millisecond
	if r.HeartbeatTimeout < floor {
		c.fail("raft.heartbeat_timeout", "is %s; at least %s", r.HeartbeatTimeout, floor)
	}
	if r.CommitTimeout < time.Millisecond || r.CommitTimeout > time.Second {
		c.fail("raft.commit_timeout", "is %s; from 1ms to 1s", r.CommitTimeout)
	}
	if r.SnapshotInterval < time.Second {
		c.fail("raft.snapshot_interval", "is %s; at least 1s", r.SnapshotInterval)
	}
	if r.SnapshotMaxAge < r.SnapshotInterval {
		c.fail("raft.snapshot_max_age", "is %s; at least raft.snapshot_interval, %s", r.SnapshotMaxAge, r.SnapshotInterval)
	}
	if r.StateCheck < time.Second || r.StateCheck > time.Hour {
		c.fail("raft.state_check", "is %s; from 1s to 1h", r.StateCheck)
	}
	c.between("raft.snapshot_threshold", r.SnapshotThreshold, 1, 100_000_000)
	// With fewer the log can be cut behind entries that a follower has not acknowledged yet, and Raft sends it the snapshot
	// again and again (hashicorp/raft#697).
	c.between("raft.trailing_logs", r.TrailingLogs, 100, 100_000_000)
	if r.Hold > maxHold {
		c.fail("raft.hold", "is %s; at most %s", r.Hold, maxHold)
	}
	if d := c.l.Config.Disk.StallLimit; d < time.Second {
		c.fail("disk.stall_limit", "is %s; at least 1s", d)
	}
	if g := c.l.Config.Shutdown.Grace; g < 100*time.Millisecond || g > 10*time.Minute {
		c.fail("shutdown.grace", "is %s; from 100ms to 10m", g)
	}
}
