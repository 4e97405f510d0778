package crypto

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"hash"
)

const (
	// TagKeyBytes is the length of a key that data keys are tagged with.
	TagKeyBytes = 32
	// DataKeyTagBytes is the length of a tag.
	DataKeyTagBytes = 16
)

// NewTagKey draws a key for [DataKeyTags].
func NewTagKey() Secret {
	key := make(Secret, TagKeyBytes)
	rand.Read(key)
	return key
}

// DataKeyTags makes keyed tags of data keys:
//
//	the first 16 bytes of HMAC-SHA-256(tag key, u32(place) || data key)
//
// Two regions that have the tag key answer the same tag for the same data key at the same place, and who has no tag key
// learns nothing else from it: not even whether two places hold the same data key. It is not safe for concurrent use.
type DataKeyTags struct {
	mac  hash.Hash
	room [sha256.Size]byte
}

// NewDataKeyTags prepares a key of TagKeyBytes, which is not kept in clear here but in the state of the MAC.
func NewDataKeyTags(key Secret) *DataKeyTags { return &DataKeyTags{mac: hmac.New(sha256.New, key)} }

// Wipe overwrites what the MAC keeps of the last data key: its hash holds what does not fill a block, and forgets that only
// when it is written over. A nil DataKeyTags has nothing to wipe.
func (t *DataKeyTags) Wipe() {
	if t == nil {
		return
	}
	var zeros [sha256.BlockSize]byte
	t.mac.Reset()
	t.mac.Write(zeros[:1]) // a whole block would be hashed where it is
	t.mac.Write(zeros[1:])
	t.mac.Reset()
	clear(t.room[:])
}

// Append appends the tag of the data key at a place.
func (t *DataKeyTags) Append(dst []byte, place int, dataKey []byte) []byte {
	t.mac.Reset()
	binary.BigEndian.PutUint32(t.room[:4], uint32(place))
	t.mac.Write(t.room[:4])
	t.mac.Write(dataKey)
	return append(dst, t.mac.Sum(t.room[:0])[:DataKeyTagBytes]...)
}
