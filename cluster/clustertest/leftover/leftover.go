// Package leftover looks, in tests, for secrets that were not wiped: in all that the process has allocated.
package leftover

import (
	"bytes"
	"crypto/rand"
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"
)

// Secret is one that the test knows, turned over bit by bit: so it does not lie in memory for the test itself.
type Secret []byte

// New draws a secret.
func New(size int) Secret {
	secret := make([]byte, size)
	rand.Read(secret)
	return Hide(secret)
}

// Hide takes a secret away from where it is.
func Hide(secret []byte) Secret {
	s := make(Secret, len(secret))
	for i := range secret {
		s[i], secret[i] = ^secret[i], 0
	}
	return s
}

// AppendTo appends the secret as it is. Wiping that is the caller's.
func (s Secret) AppendTo(b []byte) []byte {
	for _, c := range s {
		b = append(b, ^c)
	}
	return b
}

// In says whether the secret lies in memory.
func (s Secret) In(memory []byte) bool {
	secret := s.AppendTo(make([]byte, 0, len(s)))
	defer clear(secret)
	return bytes.Contains(memory, secret)
}

// After returns what the process has allocated when work is done, what it has given up meanwhile included.
func After(t testing.TB, work func()) []byte {
	t.Helper()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	left := New(48)
	lies := left.AppendTo(make([]byte, 0, len(left)))
	defer clear(lies)
	work()
	file, err := os.Create(filepath.Join(t.TempDir(), "heap"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	debug.WriteHeapDump(file.Fd())
	memory, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	if !left.In(memory) {
		t.Fatal("what lies in memory is not found there")
	}
	return memory
}
