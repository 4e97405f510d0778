package cluster

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"meridian/cluster/boottime"
	"meridian/cluster/transport"
	"meridian/crypto"
	"meridian/crypto/seal"
)

// Voter is a member of the region as it is formed.
type Voter struct {
	ID      string
	Address string // host:port of its cluster listener, as its peers dial it
}

// Config describes one node. Zero durations and sizes mean their defaults.
type Config struct {
	NodeID  string // fixed for the life of the data folder
	Region  string
	Account string
	DataDir string  // made, 0700, when it is missing
	Voters  []Voter // of the region, this node among them

	// Transport is the cluster listener; Region, NodeID, Logger, PeerID,
	// Member, Admit and Panicked are filled in here.
	Transport transport.Config
	// Seal holds the root key. Nil: the node replicates, but stays sealed.
	Seal    seal.Provider
	Logger  *slog.Logger          // default: slog.Default()
	Metrics prometheus.Registerer // nil: none

	Timing Timing
	Disk   Disk

	// Phase is told what the node does during Open, whenever that changes, such
	// as "forming: waits for n3 (connection refused)", and "" when it goes on.
	// Nil: nobody is.
	Phase func(phase string)

	// KeyVersions bounds the key versions of the region: the leader makes none
	// beyond for keys that are due to be rotated. Default: no bound.
	KeyVersions int
	// Ciphers bounds the cache of ready-to-use key versions. Default: 10,000.
	Ciphers int

	// Now is the wall clock. Default: time.Now.
	Now func() time.Time
	// BootTime is the clock that leases are counted on. Default: CLOCK_BOOTTIME.
	BootTime func() time.Duration
	// Exit ends the process after a fault of storage: the log decides what
	// happened once it runs again. It may return in tests; the node then
	// refuses all work. Default: os.Exit(1).
	Exit func(reason error)
}

// Timing holds the sizes that belong together; the defaults are those of a
// region in one or three zones up to 3 ms apart.
type Timing struct {
	Heartbeat   time.Duration // Raft's heartbeat and election timeout. Default: 500 ms
	LeaderLease time.Duration // Raft's, at most Heartbeat. Default: half of it
	Commit      time.Duration // followers learn of a commit after 1-2 of these if they are not told (announcer). Default: 200 ms
	Hold        time.Duration // how long a write is held while there is no leader. Default: 8 s

	Lease        time.Duration // how long a node may answer without hearing from the leader. Default: 4 heartbeats
	LeaseMargin  time.Duration // for clocks that run at different rates. Default: a twentieth of Lease
	LeaseRenewal time.Duration // time between renewals. Default: a tenth of Lease
	LeaseWait    time.Duration // how long a read is held for a lease before it is refused. Default: 2 heartbeats
	MinIndexWait time.Duration // how long a read is held for the index it asks for. Default: 2 s

	SnapshotInterval  time.Duration // how often Raft looks whether a snapshot is due. Default: 120 s
	SnapshotThreshold uint64        // entries since the last one. Default: 8192
	SnapshotMaxAge    time.Duration // a snapshot at least this often, if anything changed. Default: 24 h
	TrailingLogs      uint64        // entries kept behind a snapshot. Default: 10240

	Jobs       time.Duration // how often the leader looks for due rotations, expiries and deletions. Default: 10 s
	StateCheck time.Duration // how often a node compares its state with the others', give or take a quarter. Default: 1 min
	CheckDelay time.Duration // from start to the full check after an unclean stop. Default: 60 s
}

// Disk holds the limits of the data folder's volume.
type Disk struct {
	StallLimit   time.Duration // a call to storage that takes longer ends the process. Default: 10 s
	MinFree      uint64        // bytes; below, writes are refused before they are proposed. Default: 256 MiB
	Reserve      int64         // bytes of a file kept to be given up when the disk is full; < 0: none. Default: 64 MiB
	MaxStateSize int           // bytes of the state file. Default: no bound

	// Free returns the bytes that are free on the volume of a folder. A seam
	// for tests.
	Free func(dir string) (uint64, error)
}

// MaxVoters bounds the voters of a region.
const MaxVoters = 9

func orDuration(d *time.Duration, usual time.Duration) {
	if *d == 0 {
		*d = usual
	}
}

func (t *Timing) setDefaults() {
	orDuration(&t.Heartbeat, 500*time.Millisecond)
	orDuration(&t.LeaderLease, t.Heartbeat/2)
	orDuration(&t.Commit, 200*time.Millisecond)
	orDuration(&t.Hold, 8*time.Second)
	orDuration(&t.Lease, 4*t.Heartbeat)
	orDuration(&t.LeaseMargin, t.Lease/20)
	orDuration(&t.LeaseRenewal, t.Lease/10)
	orDuration(&t.LeaseWait, 2*t.Heartbeat)
	orDuration(&t.SnapshotInterval, 120*time.Second)
	orDuration(&t.SnapshotMaxAge, 24*time.Hour)
	orDuration(&t.Jobs, 10*time.Second)
	orDuration(&t.CheckDelay, time.Minute)
	orDuration(&t.StateCheck, time.Minute)
	orDuration(&t.MinIndexWait, 2*time.Second)
	if t.SnapshotThreshold == 0 {
		t.SnapshotThreshold = 8192
	}
	if t.TrailingLogs == 0 {
		t.TrailingLogs = 10240
	}
}

func (c *Config) setDefaults() {
	c.Timing.setDefaults()
	d := &c.Disk
	orDuration(&d.StallLimit, 10*time.Second)
	if d.MinFree == 0 {
		d.MinFree = 256 << 20
	}
	if d.Reserve == 0 {
		d.Reserve = 64 << 20
	}
	if d.Free == nil {
		d.Free = freeBytes
	}
	if c.Ciphers == 0 {
		c.Ciphers = 10_000
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.BootTime == nil {
		c.BootTime = boottime.Now
	}
	if c.Exit == nil {
		c.Exit = func(error) { os.Exit(1) }
	}
}

// Validate reports every mistake in c at once.
func (c *Config) Validate() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !ValidNodeID(c.NodeID) {
		wrong("node id %q: 1 to 64 letters, digits, '.', '_' and '-', starting with a letter or digit", c.NodeID)
	}
	if !crypto.ValidRegion(c.Region) {
		wrong("region %q is not a region's name", c.Region)
	}
	if c.Account == "" {
		wrong("account is missing")
	}
	if c.DataDir == "" {
		wrong("data folder is missing")
	}
	if c.KeyVersions < 0 {
		wrong("limit of key versions: %d is negative", c.KeyVersions)
	}
	errs = append(errs, CheckVoters(c.NodeID, c.Voters)...)
	if err := c.Transport.Validate(); err != nil {
		errs = append(errs, err)
	}
	t := c.Timing
	for _, d := range []time.Duration{t.Heartbeat, t.LeaderLease, t.Commit, t.Hold, t.Lease, t.LeaseMargin, t.LeaseRenewal, t.LeaseWait, t.SnapshotInterval, t.SnapshotMaxAge, t.Jobs, t.CheckDelay, t.StateCheck, t.MinIndexWait, c.Disk.StallLimit} {
		if d < 0 {
			wrong("a duration is negative: %v", d)
		}
	}
	if t.Heartbeat != 0 && t.LeaderLease > t.Heartbeat {
		wrong("leader lease %v is longer than the heartbeat timeout %v", t.LeaderLease, t.Heartbeat)
	}
	if t.Heartbeat != 0 && t.Heartbeat < 5*time.Millisecond || t.LeaderLease != 0 && t.LeaderLease < 5*time.Millisecond {
		wrong("heartbeat timeout and leader lease must be at least 5ms")
	}
	t.setDefaults()
	if t.Lease-2*t.LeaseRenewal < 3*t.Heartbeat {
		wrong("lease %v less two renewals of %v must be three heartbeat timeouts of %v at least, or an election outlives the lease", t.Lease, t.LeaseRenewal, t.Heartbeat)
	}
	return errors.Join(errs...)
}

// CheckVoters reports every mistake in the voters with which a region is formed,
// as node sees them.
func CheckVoters(node string, voters []Voter) []error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(voters) == 0 {
		return []error{errors.New("no voters: list every node of the region, this one among them")}
	}
	if len(voters) > MaxVoters {
		wrong("%d voters, at most %d", len(voters), MaxVoters)
	}
	ids, addresses := map[string]bool{}, map[string]bool{}
	for _, v := range voters {
		if !ValidNodeID(v.ID) {
			wrong("voter %q is not a node id", v.ID)
		}
		if _, port, err := net.SplitHostPort(v.Address); err != nil || port == "" || port == "0" {
			wrong("voter %q: address %q is not host:port", v.ID, v.Address)
		}
		if ids[v.ID] {
			wrong("voter %q is listed twice", v.ID)
		}
		if addresses[v.Address] {
			wrong("address %q is listed twice", v.Address)
		}
		ids[v.ID], addresses[v.Address] = true, true
	}
	if !ids[node] {
		wrong("this node, %q, is not among the voters", node)
	}
	return errs
}

// ValidNodeID reports whether id may name a node: 1 to 64 letters, digits, '.',
// '_' and '-', starting with a letter or digit.
func ValidNodeID(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for i, c := range []byte(id) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case i > 0 && (c == '.' || c == '_' || c == '-'):
		default:
			return false
		}
	}
	return true
}
