package record

import (
	"crypto/sha256"
	"encoding/binary"

	"meridian/crypto"
)

// IDBytes is the length of key ids, version ids and command ids.
const IDBytes = 16

// VersionKey names a key version in Versions and Tombstones.
func VersionKey(id crypto.KeyID, version crypto.VersionID) []byte {
	return append(append(make([]byte, 0, 2*IDBytes), id[:]...), version[:]...)
}

// CreatedKey sorts keys by creation, then id.
func CreatedKey(createdMs int64, id crypto.KeyID) []byte {
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, 8+IDBytes), uint64(createdMs)), id[:]...)
}

// TimedKey sorts the entries of a kind by time in Due and Expiry.
func TimedKey(kind byte, ms int64, id [IDBytes]byte) []byte {
	key := append(make([]byte, 0, 1+8+IDBytes), kind)
	key = binary.BigEndian.AppendUint64(key, uint64(ms))
	return append(key, id[:]...)
}

// ParseTimedKey takes a key of Due or Expiry apart.
func ParseTimedKey(key []byte) (kind byte, ms int64, id [IDBytes]byte, ok bool) {
	if len(key) != 1+8+IDBytes {
		return 0, 0, id, false
	}
	return key[0], int64(binary.BigEndian.Uint64(key[1:])), [IDBytes]byte(key[9:]), true
}

// Under builds the key of something that belongs to a key id: an alias in
// KeyAliases, a tag in Tags.
func Under(id crypto.KeyID, name string) []byte {
	return append(append(make([]byte, 0, IDBytes+len(name)), id[:]...), name...)
}

// AliasNameKey is the key of AliasNames.
func AliasNameKey(name []byte) []byte {
	sum := sha256.Sum256(name)
	return sum[:IDBytes]
}

// NonceKey hashes a nonce with the access key that used it: both may be of any
// length.
func NonceKey(accessKeyID, nonce string) [IDBytes]byte {
	in := binary.BigEndian.AppendUint32(nil, uint32(len(accessKeyID)))
	in = append(in, accessKeyID...)
	sum := sha256.Sum256(append(in, nonce...))
	return [IDBytes]byte(sum[:])
}
