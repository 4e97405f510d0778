package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"meridian/cluster"
	"meridian/cluster/access"
	"meridian/crypto"
	"meridian/store"
	"meridian/store/storepb"
)

// Region is the state and the keys behind the API, as one node sees them. *cluster.Node is one.
type Region interface {
	// ReadWith runs f on a view of the state that is fresh. f may run twice and must change nothing but its answer.
	ReadWith(ctx context.Context, o cluster.ReadOptions, f func(v *store.View) error) error
	// Applied returns the index of the state that reads show; zero while there is none.
	Applied() uint64
	// Propose carries a command to every node and returns what it did.
	Propose(ctx context.Context, c *storepb.Command) (*storepb.Result, error)
	// Cipher returns the ready cipher of a key version.
	Cipher(v *store.View, k *store.Key, version crypto.VersionID) (crypto.Cipher, error)
	// PrivateKey returns the ready pair of a version of an asymmetric key.
	PrivateKey(v *store.View, k *store.Key, version crypto.VersionID) (*crypto.PrivateKey, error)
	// Wrap seals key material under the key-encryption key of the region; Unwrap opens it for the same place.
	Wrap(b crypto.Binding, material []byte) ([]byte, error)
	Unwrap(b crypto.Binding, wrapped []byte) (crypto.Secret, error)
	// SelfCheck proves that wrapped material does what it is for.
	SelfCheck(b crypto.Binding, wrapped []byte) error
	// Fingerprint marks imported material, and SameMaterial tells whether a fingerprint is that of other material.
	Fingerprint(b crypto.Binding, material []byte) ([]byte, error)
	SameMaterial(b crypto.Binding, fingerprint, material []byte) (bool, error)
	// TransportKey returns a version of the key pair under which data keys come in, 0 for the newest, and NewTransportKey
	// the command that makes the next one.
	TransportKey(v *store.View, version uint32) (*crypto.TransportKey, error)
	NewTransportKey(expected uint32) (*storepb.AddTransportKey, error)
}

// Limits bounds what callers may use. Zero values mean the defaults below.
type Limits struct {
	Keys                  int // keys in the region
	Aliases               int // aliases in the region
	Plaintext             int // bytes that Encrypt takes, at most MaxPlaintext
	KeyVersions           int // key versions in the region
	NoncesPerKey          int // live nonces of one access key on this node
	Nonces                int // live nonces on this node
	ConnectionsPerAddress int // open connections of one client address
	// VersionInterval is the least time between two versions of a key that are asked for; negative: none.
	VersionInterval time.Duration
}

// Limits that are not configured.
const (
	DefaultKeys                  = 10_000
	DefaultAliases               = 300
	DefaultKeyVersions           = 50_000
	DefaultVersionInterval       = 7 * 24 * time.Hour
	DefaultPlaintext             = 4096
	MaxPlaintext                 = 6144
	DefaultNoncesPerKey          = 20_000_000
	DefaultNonces                = 24_000_000
	DefaultConnectionsPerAddress = 1024
)

func (l *Limits) setDefaults() {
	for _, d := range []struct {
		value *int
		unset int
	}{
		{&l.Keys, DefaultKeys},
		{&l.Aliases, DefaultAliases},
		{&l.KeyVersions, DefaultKeyVersions},
		{&l.Plaintext, DefaultPlaintext},
		{&l.NoncesPerKey, DefaultNoncesPerKey},
		{&l.Nonces, max(DefaultNonces, l.NoncesPerKey)},
		{&l.ConnectionsPerAddress, DefaultConnectionsPerAddress},
	} {
		if *d.value == 0 {
			*d.value = d.unset
		}
	}
	if l.VersionInterval == 0 {
		l.VersionInterval = DefaultVersionInterval
	}
}

// Peers are the other regions, and say where data keys may be exported to.
type Peers struct {
	Regions     []string // for DescribeRegions
	ExportToAny bool     // to whatever public key a caller sends
	// Pinned are the SHA-256 hashes of public keys of other regions: of a SubjectPublicKeyInfo in DER, or of the public
	// half of a transport key.
	Pinned [][sha256.Size]byte
}

// Config says what a Server serves and to whom.
type Config struct {
	Region     Region
	RegionID   string             // such as cn-hangzhou
	Account    string             // digits
	NodeID     string             // sent as X-Meridian-Node
	Peers      Peers              // at the start, see Server.SetPeers
	Identities *access.Identities // who may call
	Limits     Limits
	// Hosts are the names and addresses by which clients may call this node, without ports; an IPv6 address may
	// stand in brackets. The address on which a connection arrived always counts.
	Hosts []string
	// NonceFile is where used nonces are kept across a restart of the process; created with mode 0600 and never synced.
	// Empty: memory only, and a request captured within the last half hour can be repeated after a restart.
	NonceFile string
	// FirstStart says that the node has never served before: then a NonceFile that is not there was not lost. Otherwise
	// the node refuses cryptography to requests dated before the file was made anew.
	FirstStart bool
	Now        func() time.Time      // default time.Now
	Logger     *slog.Logger          // default: discard
	Metrics    prometheus.Registerer // default: none
}

// check sets defaults and reports every mistake at once.
func (cfg *Config) check() error {
	var problems []error
	need := func(ok bool, format string, args ...any) {
		if !ok {
			problems = append(problems, fmt.Errorf("api: "+format, args...))
		}
	}
	cfg.Limits.setDefaults()
	need(cfg.Region != nil, "no region")
	need(cfg.RegionID != "", "no region id")
	need(cfg.Account != "", "no account")
	need(cfg.NodeID != "", "no node id")
	need(cfg.Identities != nil, "no identities")
	need(cfg.Limits.Keys > 0, "limit of keys: %d is not above zero", cfg.Limits.Keys)
	need(cfg.Limits.Aliases > 0, "limit of aliases: %d is not above zero", cfg.Limits.Aliases)
	need(cfg.Limits.KeyVersions > 0, "limit of key versions: %d is not above zero", cfg.Limits.KeyVersions)
	need(cfg.Limits.Plaintext > 0 && cfg.Limits.Plaintext <= MaxPlaintext, "limit of plaintext: %d is not within 1 to %d bytes", cfg.Limits.Plaintext, MaxPlaintext)
	need(cfg.Limits.NoncesPerKey > 0, "limit of nonces a key: %d is not above zero", cfg.Limits.NoncesPerKey)
	need(cfg.Limits.Nonces >= cfg.Limits.NoncesPerKey, "limit of nonces: %d is below that of one key, %d", cfg.Limits.Nonces, cfg.Limits.NoncesPerKey)
	need(cfg.Limits.ConnectionsPerAddress > 0, "limit of connections an address: %d is not above zero", cfg.Limits.ConnectionsPerAddress)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return errors.Join(problems...)
}
