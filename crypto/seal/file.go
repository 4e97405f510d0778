package seal

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"

	"meridian/crypto"
)

// fileProvider is a root key that was read from a file.
type fileProvider struct {
	keyID string
	mu    sync.RWMutex
	xaes  *crypto.XAES // nil once closed
}

// fileName is the provider's kind.
const fileName = "file"

// fileWrapped is the format of Wrapped.Ciphertext: this byte, then XAES-256-GCM with the AAD of fileAAD.
const fileWrapped = 1

// OpenFile reads a root key that GenerateFile made. Refused, with a [*FileError] that says what to do: a file that
// others than its owner may read or write, that belongs to another user (but root), that is not regular, that is a symbolic link out of its directory, that is
// cut short, damaged or something else. Links within the directory are followed, as mounted secrets use them.
func OpenFile(path string) (Provider, error) {
	key, err := readFile(path)
	if err != nil {
		return nil, err
	}
	defer key.Wipe()
	xaes, err := crypto.NewXAES(key)
	if err != nil {
		return nil, err
	}
	return &fileProvider{keyID: fingerprint(key), xaes: xaes}, nil
}

// Name implements [Provider].
func (p *fileProvider) Name() string { return fileName }

// Format implements [fmt.Formatter]; it shows which key it is and nothing of it.
func (p *fileProvider) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "%s:%s", fileName, p.keyID) }

// Wrap implements [Provider].
func (p *fileProvider) Wrap(ctx context.Context, plaintext crypto.Secret, aad []byte) (Wrapped, error) {
	if err := ctx.Err(); err != nil {
		return Wrapped{}, err
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.xaes == nil {
		return Wrapped{}, ErrClosed
	}
	return Wrapped{
		Provider:   fileName,
		KeyID:      p.keyID,
		Ciphertext: p.xaes.Seal([]byte{fileWrapped}, plaintext, fileAAD(p.keyID, aad)),
	}, nil
}

// Unwrap implements [Provider].
func (p *fileProvider) Unwrap(ctx context.Context, w Wrapped, aad []byte) (crypto.Secret, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	switch {
	case p.xaes == nil:
		return nil, ErrClosed
	case w.Provider != fileName:
		return nil, fmt.Errorf("%w: %q, and this is %q", ErrOtherProvider, w.Provider, fileName)
	case w.KeyID != p.keyID:
		return nil, fmt.Errorf("%w: %s, and the file holds %s", ErrOtherKey, w.KeyID, p.keyID)
	case len(w.Ciphertext) < 1+crypto.Overhead || w.Ciphertext[0] != fileWrapped:
		return nil, ErrUnwrap
	}
	plaintext, err := p.xaes.Open(nil, w.Ciphertext[1:], fileAAD(p.keyID, aad))
	if err != nil {
		return nil, ErrUnwrap
	}
	return plaintext, nil
}

// Close implements [Provider]. It returns nil.
func (p *fileProvider) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.xaes = nil
	return nil
}

// fileAAD is "meridian/seal/file/1" || format || u32(len) || key id || u32(len) || aad.
func fileAAD(keyID string, aad []byte) []byte {
	full := append([]byte("meridian/seal/file/1"), fileWrapped)
	full = binary.BigEndian.AppendUint32(full, uint32(len(keyID)))
	full = append(full, keyID...)
	full = binary.BigEndian.AppendUint32(full, uint32(len(aad)))
	return append(full, aad...)
}
