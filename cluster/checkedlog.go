package cluster

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/hashicorp/raft"
)

// ErrLogDamaged: what the Raft log on disk holds is not what was written to it.
var ErrLogDamaged = errors.New("cluster: the Raft log is damaged")

// checksumBytes is the length of the checksum behind each value and each entry's
// data: the beginning of a SHA-256 digest.
const checksumBytes = 8

// checkedLog puts a checksum behind everything that the Raft log keeps and looks
// at it whenever something is read: bbolt checksums only its meta pages, and a
// leader would hand a damaged entry on to healthy nodes.
type checkedLog struct{ logBackend }

// entrySum covers all of an entry that Raft goes by.
func entrySum(entry *raft.Log, data []byte) []byte {
	var head [33]byte
	binary.BigEndian.PutUint64(head[0:], entry.Index)
	binary.BigEndian.PutUint64(head[8:], entry.Term)
	head[16] = byte(entry.Type)
	binary.BigEndian.PutUint64(head[17:], uint64(len(data)))
	binary.BigEndian.PutUint64(head[25:], uint64(len(entry.Extensions)))
	h := sha256.New()
	h.Write(head[:])
	h.Write(data)
	h.Write(entry.Extensions)
	return h.Sum(nil)[:checksumBytes]
}

// valueSum covers a stable value and the key that it belongs to.
func valueSum(key, value []byte) []byte {
	var head [8]byte
	binary.BigEndian.PutUint64(head[:], uint64(len(key)))
	h := sha256.New()
	h.Write(head[:])
	h.Write(key)
	h.Write(value)
	return h.Sum(nil)[:checksumBytes]
}

func (c checkedLog) StoreLog(entry *raft.Log) error { return c.StoreLogs([]*raft.Log{entry}) }

// StoreLogs leaves the entries as they are: Raft goes on using them.
func (c checkedLog) StoreLogs(entries []*raft.Log) error {
	guarded := make([]*raft.Log, len(entries))
	for i, entry := range entries {
		g := *entry
		g.Data = append(bytes.Clone(entry.Data), entrySum(entry, entry.Data)...)
		guarded[i] = &g
	}
	return c.logBackend.StoreLogs(guarded)
}

func (c checkedLog) GetLog(index uint64, entry *raft.Log) error {
	if err := c.logBackend.GetLog(index, entry); err != nil {
		return err
	}
	at := len(entry.Data) - checksumBytes
	if at < 0 || entry.Index != index || !bytes.Equal(entry.Data[at:], entrySum(entry, entry.Data[:at])) {
		return fmt.Errorf("%w: entry %d; %s", ErrLogDamaged, index, staysAway)
	}
	entry.Data = entry.Data[:at:at]
	return nil
}

func (c checkedLog) Set(key, value []byte) error {
	return c.logBackend.Set(key, append(bytes.Clone(value), valueSum(key, value)...))
}

func (c checkedLog) Get(key []byte) ([]byte, error) {
	guarded, err := c.logBackend.Get(key)
	if err != nil {
		return nil, err
	}
	at := len(guarded) - checksumBytes
	if at < 0 || !bytes.Equal(guarded[at:], valueSum(key, guarded[:at])) {
		return nil, fmt.Errorf("%w: value %q; %s", ErrLogDamaged, key, staysAway)
	}
	return guarded[:at:at], nil
}

func (c checkedLog) SetUint64(key []byte, value uint64) error {
	return c.Set(key, binary.BigEndian.AppendUint64(nil, value))
}

func (c checkedLog) GetUint64(key []byte) (uint64, error) {
	value, err := c.Get(key)
	if err != nil {
		return 0, err
	}
	if len(value) != 8 {
		return 0, fmt.Errorf("%w: value %q of %d bytes, want 8", ErrLogDamaged, key, len(value))
	}
	return binary.BigEndian.Uint64(value), nil
}
