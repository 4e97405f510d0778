package seal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"meridian/crypto"
)

func mustGenerate(t *testing.T) (path string, p Provider) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "root.key")
	if err := GenerateFile(path); err != nil {
		t.Fatal(err)
	}
	return path, mustOpen(t, path)
}

func mustOpen(t *testing.T, path string) Provider {
	t.Helper()
	p, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func TestFileProviderSealsAKeyring(t *testing.T) {
	path, p := mustGenerate(t)
	keyring, err := crypto.GenerateKeyring()
	if err != nil {
		t.Fatal(err)
	}
	defer keyring.Close()
	plain, aad := keyring.Marshal(), KeyringAAD("eu-1", []byte("cluster"))
	w, err := p.Wrap(t.Context(), plain, aad)
	if err != nil {
		t.Fatal(err)
	}
	if w.Provider != "file" || p.Name() != "file" || len(w.KeyID) != 32 || bytes.Contains(w.Ciphertext, plain[20:]) {
		t.Errorf("wrapped to %+v", w)
	}
	// A process that starts later reads the same file.
	got, err := mustOpen(t, path).Unwrap(t.Context(), w, aad)
	if err != nil || !got.Equal(plain) {
		t.Fatalf("unwraps to %d bytes, %v", len(got), err)
	}
	if again, err := crypto.ParseKeyring(got); err != nil {
		t.Error(err)
	} else {
		again.Close()
	}
}

func TestFileProviderRefuses(t *testing.T) {
	_, p := mustGenerate(t)
	aad := KeyringAAD("eu-1", []byte("cluster"))
	w, err := p.Wrap(t.Context(), crypto.Secret("keyring"), aad)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(name string, p Provider, w Wrapped, aad []byte, want error) {
		t.Helper()
		if got, err := p.Unwrap(t.Context(), w, aad); got != nil || !errors.Is(err, want) {
			t.Errorf("%s: %d bytes, %v; want %v", name, len(got), err, want)
		}
	}
	for i := range w.Ciphertext {
		changed := w
		changed.Ciphertext = bytes.Clone(w.Ciphertext)
		changed.Ciphertext[i] ^= 1
		refused(fmt.Sprintf("byte %d changed", i), p, changed, aad, ErrUnwrap)
		changed.Ciphertext = w.Ciphertext[:i]
		refused(fmt.Sprintf("cut to %d bytes", i), p, changed, aad, ErrUnwrap)
	}
	refused("another region", p, w, KeyringAAD("eu-2", []byte("cluster")), ErrUnwrap)
	refused("another cluster", p, w, KeyringAAD("eu-1", []byte("Cluster")), ErrUnwrap)
	refused("no aad", p, w, nil, ErrUnwrap)
	_, other := mustGenerate(t)
	refused("another file", other, w, aad, ErrOtherKey)
	foreign := w
	foreign.Provider = "transit"
	refused("another provider", p, foreign, aad, ErrOtherProvider)
	renamed := w
	renamed.KeyID = mustWrapID(t, other)
	refused("another file's id on it", other, renamed, aad, ErrUnwrap)

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Wrap(ended, nil, aad); !errors.Is(err, context.Canceled) {
		t.Errorf("Wrap under a context that ended: %v", err)
	}
	if _, err := p.Unwrap(ended, w, aad); !errors.Is(err, context.Canceled) {
		t.Errorf("Unwrap under a context that ended: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	refused("closed", p, w, aad, ErrClosed)
	if _, err := p.Wrap(t.Context(), nil, aad); !errors.Is(err, ErrClosed) {
		t.Errorf("Wrap once closed: %v", err)
	}
}

func mustWrapID(t *testing.T, p Provider) string {
	t.Helper()
	w, err := p.Wrap(t.Context(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.KeyID
}

func TestKeyringAADIsUnambiguous(t *testing.T) {
	seen := map[string]bool{}
	for _, parts := range [][2]string{{"", ""}, {"a", ""}, {"", "a"}, {"ab", "c"}, {"a", "bc"}, {"a\x00\x00\x00\x01b", ""}} {
		aad := string(KeyringAAD(parts[0], []byte(parts[1])))
		if seen[aad] {
			t.Errorf("%q has the AAD of another", parts)
		}
		seen[aad] = true
	}
}

func TestFileProviderShowsNothing(t *testing.T) {
	path, p := mustGenerate(t)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, key, _ := strings.Cut(strings.TrimSpace(string(text)), "\nkey: ")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		if shown := fmt.Sprintf(verb, p); strings.Contains(shown, key) || !strings.HasPrefix(shown, "file:") {
			t.Errorf("%s shows %s", verb, shown)
		}
	}
}

func TestFileProviderConcurrentUse(t *testing.T) {
	_, p := mustGenerate(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				w, err := p.Wrap(context.Background(), crypto.Secret("keyring"), nil)
				if err == nil {
					_, err = p.Unwrap(context.Background(), w, nil)
				}
				if err != nil && !errors.Is(err, ErrClosed) {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Go(func() { _ = p.Close() })
	wg.Wait()
}
