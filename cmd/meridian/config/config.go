// Package config reads the server's configuration.
//
// Values come in layers, each over the one before: defaults, the YAML file,
// environment variables (MERIDIAN_ and the path, with __ for each dot:
// MERIDIAN_LOG__LEVEL), and PATH=VALUE settings of the command line. Reading is
// strict: a key that does not exist is an error that names the nearest one that
// does, a value of the wrong kind is an error, and all mistakes are reported at
// once, each with the place it stands in.
//
// Durations and sizes carry units (2s, 64MiB). Secrets are never written into
// the configuration: they are references, file://PATH or env://NAME. Relative
// paths count from the folder of the configuration file, wherever they are set.
package config

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"meridian/cluster/api"
)

// Config is the whole configuration of one server. The zero value is not
// usable; Load returns a checked one.
//
// The koanf tag is the key; help is what `meridian config show` prints beside
// it.
type Config struct {
	Node      Node      `koanf:"node"`
	Region    Region    `koanf:"region"`
	Listen    Listen    `koanf:"listen"`
	Bootstrap Bootstrap `koanf:"bootstrap"`
	Cluster   Cluster   `koanf:"cluster"`
	Access    Access    `koanf:"access"`
	Seal      Seal      `koanf:"seal"`
	Limits    Limits    `koanf:"limits"`
	Export    Export    `koanf:"export"`
	Peers     []Peer    `koanf:"peers" help:"the other regions: region, and transport_key (sha256:HEX of its public key, of several with blanks between) where data keys may be exported to it"`
	Raft      Raft      `koanf:"raft"`
	Disk      Disk      `koanf:"disk"`
	Memory    Memory    `koanf:"memory"`
	Shutdown  Shutdown  `koanf:"shutdown"`
	Log       Log       `koanf:"log"`
}

// Node is this server within its region.
type Node struct {
	ID   string `koanf:"id" help:"name of this node, unique in the region and fixed for the life of its data"`
	Data string `koanf:"data" kind:"path" help:"folder of the node's state"`
}

// Region is the key region that this node serves.
type Region struct {
	ID      string `koanf:"id" help:"name of the region, as in ARNs"`
	Account string `koanf:"account" help:"number of the account that owns every key, as in ARNs"`
}

// Listen holds the addresses that the server answers on.
type Listen struct {
	API     APIListener     `koanf:"api"`
	HTTP    HTTPListener    `koanf:"http"`
	Cluster ClusterListener `koanf:"cluster"`
	Ops     OpsListener     `koanf:"ops"`
	Pprof   PprofListener   `koanf:"pprof"`
	Names   []string        `koanf:"names" help:"further host names that clients use for this node, such as a balancer's"`
}

// APIListener is the RPC API over TLS.
type APIListener struct {
	Address string `koanf:"address" help:"host:port of the API over TLS; empty: off"`
	TLS     TLS    `koanf:"tls"`
}

// TLS names a certificate and its key, both PEM files.
type TLS struct {
	Cert string `koanf:"cert" kind:"path" help:"PEM certificate chain, leaf first"`
	Key  string `koanf:"key" kind:"path" help:"PEM private key"`
}

// HTTPListener is the RPC API without TLS.
type HTTPListener struct {
	Address string `koanf:"address" help:"host:port of the API without TLS; empty: off. A request on it can be read and, on another node, replayed"`
}

// ClusterListener carries the traffic between the nodes of the region.
type ClusterListener struct {
	Address   string     `koanf:"address" help:"host:port for the other nodes"`
	Advertise string     `koanf:"advertise" help:"host:port under which the other nodes reach this one; empty: the address"`
	TLS       ClusterTLS `koanf:"tls"`
}

// ClusterTLS is the node's own certificate and the region's CA, all PEM files.
type ClusterTLS struct {
	Cert string `koanf:"cert" kind:"path" help:"PEM certificate of this node, by the region's CA"`
	Key  string `koanf:"key" kind:"path" help:"PEM private key"`
	CA   string `koanf:"ca" kind:"path" help:"PEM certificate of the region's CA"`
}

// OpsListener serves health, metrics and status, without TLS or credentials.
type OpsListener struct {
	Address string `koanf:"address" help:"host:port of /healthz, /readyz, /metrics and /status; empty: off. Nothing secret, but keep it inside"`
}

// PprofListener serves Go's profiles; a unix socket only, since profiles and
// dumps tell more than a network should hear.
type PprofListener struct {
	Socket string `koanf:"socket" kind:"path" help:"unix socket for Go's profiles; empty: off"`
}

// Bootstrap forms a new region.
type Bootstrap struct {
	Voters []Voter `koanf:"voters" help:"the region's first nodes, this one among them: id, address. The same list on each; read at the first start only"`
}

// Voter is one of the nodes that form a region.
type Voter struct {
	ID      string `koanf:"id"`
	Address string `koanf:"address"` // its listen.cluster.advertise
}

// Cluster says how this node reaches the others of its region.
type Cluster struct {
	Dial map[string]string `koanf:"dial" help:"NODE: host:port at which this node reaches another whose own address it cannot reach, as through a tunnel"`
}

// Access holds the identities that come from the configuration.
type Access struct {
	Root RootKey `koanf:"root"`
}

// RootKey is the access key of the account's root, who may do everything.
type RootKey struct {
	ID     string    `koanf:"id" help:"access key id of the account's root"`
	Secret SecretRef `koanf:"secret" help:"its secret: file://PATH or env://NAME"`
	// MinSignature is a word of access.Signature.
	MinSignature string `koanf:"min_signature" help:"v1 takes both ways to sign; v3 only the one that signs host and body: older clients are refused"`
}

// Seal says what holds the root key that wraps the region's keyring.
type Seal struct {
	Type string `koanf:"type" help:"file: the root key is a file (meridian seal keygen)"`
	Path string `koanf:"path" kind:"path" help:"the root key file, mode 0600, beside and not inside node.data"`
}

// Limits bounds what callers can use up.
type Limits struct {
	Keys         int `koanf:"keys" help:"keys in the region"`
	Aliases      int `koanf:"aliases" help:"aliases in the region"`
	KeyVersions  int `koanf:"key_versions" help:"key versions in the region, of all keys together; beyond, no key is made but for import, and none gets another version, by rotation neither"`
	Plaintext    int `koanf:"plaintext" help:"bytes that one Encrypt takes, at most 6144"`
	NoncesPerKey int `koanf:"nonces_per_key" help:"nonces of one access key that this node remembers; beyond, requests are throttled"`
	Connections  int `koanf:"connections_per_address" help:"API connections from one address"`

	VersionInterval time.Duration `koanf:"version_interval" help:"least time between two versions of a key that CreateKeyVersion makes; 0s: none"`
}

// Export says where ExportDataKey may send data keys.
type Export struct {
	Allow string `koanf:"allow" help:"pinned-peers: only to public keys that peers pins; any: to whatever public key a caller with the right sends"`
}

// Words of Export.Allow.
const (
	ExportPinned = "pinned-peers"
	ExportAny    = "any"
)

// Peer is another region, as DescribeRegions lists it.
type Peer struct {
	Region       string `koanf:"region"`
	TransportKey string `koanf:"transport_key"` // sha256: and 64 hex digits, or several such with blanks between; empty: nothing is exported to it
}

// TransportKeyHashes reads the hashes of a peer's public keys: of the public half of its transport key, or of a
// SubjectPublicKeyInfo in DER. It reports false if one of them cannot be read.
func (p Peer) TransportKeyHashes() (hashes [][sha256.Size]byte, ok bool) {
	for _, text := range strings.Fields(p.TransportKey) {
		var hash [sha256.Size]byte
		digits, named := strings.CutPrefix(text, "sha256:")
		if !named || len(digits) != hex.EncodedLen(len(hash)) {
			return nil, false
		}
		if _, err := hex.Decode(hash[:], []byte(digits)); err != nil {
			return nil, false
		}
		hashes = append(hashes, hash)
	}
	return hashes, true
}

// Raft holds the consensus timings; the same on every node of a region.
type Raft struct {
	HeartbeatTimeout  time.Duration `koanf:"heartbeat_timeout" help:"silence after which a follower suspects its leader; 500ms in one place, 1s up to 50ms apart"`
	CommitTimeout     time.Duration `koanf:"commit_timeout" help:"delay after which followers hear of a commit if what told them was lost"`
	SnapshotInterval  time.Duration `koanf:"snapshot_interval" help:"how often to look whether a snapshot is due"`
	SnapshotThreshold int           `koanf:"snapshot_threshold" help:"log entries after which one is"`
	SnapshotMaxAge    time.Duration `koanf:"snapshot_max_age" help:"time after which one is, if anything changed"`
	TrailingLogs      int           `koanf:"trailing_logs" help:"log entries kept behind a snapshot for followers that were away"`
	Hold              time.Duration `koanf:"hold" help:"how long a call waits for an election before it is refused; at most 30s"`
	StateCheck        time.Duration `koanf:"state_check" help:"how often a node compares its state with the others', give or take a quarter"`
}

// Disk bounds what the server bears of its volume.
type Disk struct {
	StallLimit time.Duration `koanf:"stall_limit" help:"a write that takes longer ends the process: a hung disk must not lead"`
	MinFree    Size          `koanf:"min_free" help:"free space below which writes are refused"`
	Reserve    Size          `koanf:"reserve" help:"size of a file kept to be given up when the disk is full"`
	MaxState   Size          `koanf:"max_state" help:"size that the state file may reach; 0: no bound"`
}

// Memory tunes the garbage collector. GOGC and GOMEMLIMIT in the environment
// win over both.
type Memory struct {
	GOGC  int  `koanf:"gogc" help:"heap growth in percent between collections; the live heap is small, so high is cheap"`
	Limit Size `koanf:"limit" help:"heap size from which the collector works harder; 0: three quarters of what the machine or its cgroup has"`
}

// Shutdown bounds a clean stop.
type Shutdown struct {
	Grace time.Duration `koanf:"grace" help:"time for running requests to end, and again for the node to hand over and stop"`
}

// Log configures the log on standard error.
type Log struct {
	Level  string `koanf:"level" help:"debug, info, warn or error"`
	Format string `koanf:"format" help:"json or text"`
}

// Defaults are the values of everything that nobody set.
func Defaults() Config {
	return Config{
		Listen: Listen{
			API:     APIListener{Address: ":9410"},
			Cluster: ClusterListener{Address: ":9411"},
			Ops:     OpsListener{Address: "127.0.0.1:9412"},
		},
		Access: Access{Root: RootKey{MinSignature: "v1"}},
		Seal:   Seal{Type: SealFile},
		Limits: Limits{
			Keys: api.DefaultKeys, Aliases: api.DefaultAliases, Plaintext: api.DefaultPlaintext,
			NoncesPerKey: api.DefaultNoncesPerKey, Connections: api.DefaultConnectionsPerAddress,
			KeyVersions: api.DefaultKeyVersions, VersionInterval: api.DefaultVersionInterval,
		},
		Export: Export{Allow: ExportPinned},
		Raft: Raft{
			HeartbeatTimeout: 500 * time.Millisecond, CommitTimeout: 200 * time.Millisecond,
			SnapshotInterval: 2 * time.Minute, SnapshotThreshold: 8192, SnapshotMaxAge: 24 * time.Hour,
			TrailingLogs: 10_240, Hold: 8 * time.Second, StateCheck: time.Minute,
		},
		Disk:     Disk{StallLimit: 10 * time.Second, MinFree: 256 * MiB, Reserve: 64 * MiB},
		Memory:   Memory{GOGC: 400},
		Shutdown: Shutdown{Grace: 10 * time.Second},
		Log:      Log{Level: "info", Format: "json"},
	}
}

// SealFile is the seal type whose root key is a file.
const SealFile = "file"
