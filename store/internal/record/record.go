// Package record is the layout of a region's state file: which buckets there
// are, how their keys are built, and the checksum that ends every value.
//
// A value in bbolt is
//
//	message || first 8 bytes of SHA-256(bucket, key, message)
//
// where message is a storepb record, or nothing where the key says it all. The
// whole digest is what the record adds to the state hash.
package record

import (
	"crypto/sha256"
	"encoding/binary"
)

// Bucket is a bucket of the file.
type Bucket uint8

// The buckets, with what their keys and values are. id is a key's 16 bytes.
const (
	Meta         Bucket = iota // MetaState, MetaConfiguration: outside the state hash
	Region                     // RegionKey -> RegionRecord, TransportKeys -> TransportKeysRecord
	Nodes                      // node id -> NodeRecord
	Keys                       // id -> KeyRecord
	Versions                   // id, version id -> VersionRecord
	Created                    // created ms, id: the order in which keys are listed
	Aliases                    // name -> AliasRecord
	AliasNames                 // first 16 bytes of SHA-256(name): a second witness that a name is taken
	KeyAliases                 // id, name
	Tags                       // id, tag key -> TagRecord
	Policies                   // id -> PolicyRecord
	Due                        // kind, due ms, id: DueDeletion, DueRotation, DueSwitch, DueExpiry
	Tombstones                 // id, version id -> Tombstone
	Nonces                     // hash of access key id and nonce -> NonceRecord
	Results                    // command id -> ResultRecord
	Expiry                     // kind, expires ms, 16 bytes: ExpireNonce, ExpireResult, ExpireImportToken
	ImportTokens               // hash of the token -> ImportTokenRecord
	Buckets                    // how many there are
)

var names = [Buckets]string{
	"meta", "region", "nodes", "keys", "versions", "created", "aliases", "alias-names", "key-aliases", "tags",
	"policies", "due", "tombstones", "nonces", "results", "expiry",
	"import-tokens",
}

// Name returns the bucket's name in the file.
func (b Bucket) Name() string { return names[b] }

// Sequential says that keys of the bucket arrive nearly in order, so that its
// pages can be filled.
func (b Bucket) Sequential() bool { return b == Created || b == Expiry || b == Due }

// The keys of Meta and Region.
var (
	MetaState         = []byte("state")         // -> StateRecord
	MetaConfiguration = []byte("configuration") // -> ConfigurationRecord
	RegionKey         = []byte("region")
	TransportKeys     = []byte("transport-keys") // -> TransportKeysRecord
)

// The kinds of Due and Expiry, the first byte of their keys.
const (
	DueDeletion byte = iota + 1
	DueRotation
	DueSwitch // from the time on at which the next version was added
	DueExpiry
)
const (
	ExpireNonce byte = iota + 1
	ExpireResult
	ExpireImportToken
)

// ChecksumBytes end every value.
const ChecksumBytes = 8

// Digest is SHA-256 over a record.
type Digest [sha256.Size]byte

// Add combines the digest into the hash of many records, or takes it out
// again: the order does not matter.
func (d *Digest) Add(other Digest) {
	for i := range d {
		d[i] ^= other[i]
	}
}

// DigestOf hashes bucket, key and message, each with its length.
func DigestOf(b Bucket, key, message []byte) Digest {
	var room [512]byte
	name := names[b]
	in := append(room[:0], byte(len(name)))
	in = append(in, name...)
	in = binary.BigEndian.AppendUint32(in, uint32(len(key)))
	in = append(in, key...)
	in = append(in, message...)
	return sha256.Sum256(in)
}

// Seal appends the checksum to message. It returns the value to store, which
// may share message's memory, and the record's digest.
func Seal(b Bucket, key, message []byte) ([]byte, Digest) {
	d := DigestOf(b, key, message)
	return append(message, d[:ChecksumBytes]...), d
}

// Open takes the checksum off a value and checks it. The message shares the
// value's memory.
func Open(b Bucket, key, value []byte) (message []byte, d Digest, ok bool) {
	n := len(value) - ChecksumBytes
	if n < 0 {
		return nil, d, false
	}
	d = DigestOf(b, key, value[:n])
	return value[:n:n], d, [ChecksumBytes]byte(value[n:]) == [ChecksumBytes]byte(d[:ChecksumBytes])
}
