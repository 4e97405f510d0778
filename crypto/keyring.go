package crypto

import (
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
)

var (
	// ErrKeyringClosed says that the keyring was wiped.
	ErrKeyringClosed = errors.New("crypto: the keyring is closed")
	// ErrUnwrap says that wrapped bytes do not open: changed, or wrapped for another place or by another keyring.
	ErrUnwrap = errors.New("crypto: wrapped bytes do not open under this keyring and binding")
	// ErrKeyring says that bytes are no keyring.
	ErrKeyring = errors.New("crypto: not a keyring")
)

// Wrapped bytes are format (1 byte), u32(epoch), and XAES-256-GCM under the epoch's KEK with the AAD of the binding.
const (
	wrappedFormat      = 1
	wrappedHeaderBytes = 1 + 4

	// WrapOverhead is how much longer wrapped bytes are than what they hold.
	WrapOverhead = wrappedHeaderBytes + Overhead
)

// The plain form of a keyring is the magic, u16(entries), and for each entry u32(epoch) and its KEK of 32 bytes, in
// ascending order of epochs. The last one is current.
const (
	keyringMagic      = "meridian/keyring/1\n"
	keyringEntryBytes = 4 + KeyBytes
	maxKeyringEntries = 1024
)

// Keyring holds a region's key-encryption keys (KEKs), each with its epoch. The highest epoch is current: it wraps. All
// unwrap. The raw bytes lie in a locked [Arena]; the AES key schedules made from them lie on the Go heap. It is safe for
// concurrent use and must be closed.
type Keyring struct {
	mu      sync.RWMutex
	arena   *Arena // nil once closed
	entries []kek  // ascending by epoch, never empty while open
}

type kek struct {
	epoch uint32
	raw   Secret // in the arena
	xaes  *XAES
}

// Format implements [fmt.Formatter]; it shows nothing of the keys.
func (k *Keyring) Format(f fmt.State, _ rune) { redact(f) }

// GenerateKeyring returns a keyring with one random KEK, of epoch 1.
func GenerateKeyring() (*Keyring, error) {
	k, err := newKeyring(1)
	if err != nil {
		return nil, err
	}
	if err := k.generate(1); err != nil {
		k.Close()
		return nil, err
	}
	return k, nil
}

// Rotate returns a new keyring with the same KEKs and a random one of the next epoch, which is current. The old
// keyring stays as it is.
func (k *Keyring) Rotate() (*Keyring, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.arena == nil {
		return nil, ErrKeyringClosed
	}
	if len(k.entries) == maxKeyringEntries {
		return nil, fmt.Errorf("crypto: the keyring is full, %d epochs: retire old ones first", maxKeyringEntries)
	}
	next, err := newKeyring(len(k.entries) + 1)
	if err != nil {
		return nil, err
	}
	for _, e := range k.entries {
		if err := next.add(e.epoch, e.raw); err != nil {
			next.Close()
			return nil, err
		}
	}
	if err := next.generate(k.entries[len(k.entries)-1].epoch + 1); err != nil {
		next.Close()
		return nil, err
	}
	return next, nil
}

// ParseKeyring reads what [Keyring.Marshal] wrote. The bytes are copied; wiping s is the caller's.
func ParseKeyring(s []byte) (*Keyring, error) {
	if len(s) < len(keyringMagic)+2 || string(s[:len(keyringMagic)]) != keyringMagic {
		return nil, ErrKeyring
	}
	rest := s[len(keyringMagic):]
	n := int(binary.BigEndian.Uint16(rest))
	rest = rest[2:]
	if n < 1 || n > maxKeyringEntries || len(rest) != n*keyringEntryBytes {
		return nil, fmt.Errorf("%w: its length does not fit its number of epochs", ErrKeyring)
	}
	k, err := newKeyring(n)
	if err != nil {
		return nil, err
	}
	for entry := range slices.Chunk(rest, keyringEntryBytes) {
		if err := k.add(binary.BigEndian.Uint32(entry), entry[4:]); err != nil {
			k.Close()
			return nil, err
		}
	}
	return k, nil
}

// Marshal returns the keyring in plain, for a root key to wrap. The caller wipes it. A closed keyring gives nil.
func (k *Keyring) Marshal() Secret {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.arena == nil {
		return nil
	}
	s := make(Secret, 0, len(keyringMagic)+2+len(k.entries)*keyringEntryBytes) // exact: growing would leave copies behind
	s = append(s, keyringMagic...)
	s = binary.BigEndian.AppendUint16(s, uint16(len(k.entries)))
	for _, e := range k.entries {
		s = binary.BigEndian.AppendUint32(s, e.epoch)
		s = append(s, e.raw...)
	}
	return s
}

// Epoch returns the current epoch, 0 once the keyring is closed.
func (k *Keyring) Epoch() uint32 {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.arena == nil {
		return 0
	}
	return k.entries[len(k.entries)-1].epoch
}

// Wrap seals material for the place b under the current KEK.
func (k *Keyring) Wrap(b Binding, material []byte) ([]byte, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.arena == nil {
		return nil, ErrKeyringClosed
	}
	e := k.entries[len(k.entries)-1]
	out := make([]byte, 0, WrapOverhead+len(material))
	out = append(out, wrappedFormat)
	out = binary.BigEndian.AppendUint32(out, e.epoch)

	w := borrowWorkspace()
	defer w.giveBack()
	w.aad = b.appendAAD(w.aad, e.epoch)
	return e.xaes.seal(w, out, material, w.aad), nil
}

// Unwrap returns what Wrap sealed for the same place. The caller wipes it. Errors: [ErrUnwrap], [ErrKeyringClosed].
func (k *Keyring) Unwrap(b Binding, wrapped []byte) (Secret, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.arena == nil {
		return nil, ErrKeyringClosed
	}
	epoch, err := WrappedEpoch(wrapped)
	if err != nil {
		return nil, err
	}
	e, found := k.kek(epoch)
	if !found {
		return nil, fmt.Errorf("%w: there is no KEK of epoch %d", ErrUnwrap, epoch)
	}
	w := borrowWorkspace()
	defer w.giveBack()
	w.aad = b.appendAAD(w.aad, epoch)
	material, err := e.xaes.open(w, make([]byte, 0, len(wrapped)-WrapOverhead), wrapped[wrappedHeaderBytes:], w.aad)
	if err != nil {
		return nil, ErrUnwrap
	}
	return material, nil
}

// kek returns the KEK of an epoch. The caller holds the lock.
func (k *Keyring) kek(epoch uint32) (kek, bool) {
	i, found := slices.BinarySearchFunc(k.entries, epoch, func(e kek, epoch uint32) int { return cmp.Compare(e.epoch, epoch) })
	if !found {
		return kek{}, false
	}
	return k.entries[i], true
}

// WrappedEpoch returns the epoch of the KEK that wrapped the bytes, which is not authentic before Unwrap.
func WrappedEpoch(wrapped []byte) (uint32, error) {
	if len(wrapped) < WrapOverhead {
		return 0, fmt.Errorf("%w: cut short", ErrUnwrap)
	}
	if wrapped[0] != wrappedFormat {
		return 0, fmt.Errorf("%w: format 0x%02x is unknown", ErrUnwrap, wrapped[0])
	}
	return binary.BigEndian.Uint32(wrapped[1:]), nil
}

// Close wipes the keys. Calls that come later fail with [ErrKeyringClosed]; calls under way finish first.
func (k *Keyring) Close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.arena != nil {
		k.arena.Close()
	}
	k.arena, k.entries = nil, nil
}

func newKeyring(entries int) (*Keyring, error) {
	arena, err := NewArena(entries * KeyBytes)
	if err != nil {
		return nil, err
	}
	return &Keyring{arena: arena}, nil
}

// generate adds a random KEK.
func (k *Keyring) generate(epoch uint32) error {
	raw := make(Secret, KeyBytes)
	defer raw.Wipe()
	rand.Read(raw)
	return k.add(epoch, raw)
}

// add appends a copy of a KEK, whose epoch must be higher than those before.
func (k *Keyring) add(epoch uint32, raw []byte) error {
	if epoch == 0 || len(k.entries) > 0 && epoch <= k.entries[len(k.entries)-1].epoch {
		return fmt.Errorf("%w: epoch %d is out of order", ErrKeyring, epoch)
	}
	xaes, err := NewXAES(raw)
	if err != nil {
		return err
	}
	kept, err := k.arena.Copy(raw)
	if err != nil {
		return err
	}
	k.entries = append(k.entries, kek{epoch, kept, xaes})
	return nil
}
