package api

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestNonceFileOfOneProcess opens a file twice.
func TestNonceFileOfOneProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nonces")
	g := newNonces(t, path, 10, 10, nonceEpoch)
	if _, err := openNonces(nonceConfig{path: path, now: time.Now, logger: slog.New(slog.DiscardHandler)}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("second opening: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	closeNonces(t, g)
}

// TestNonceBoot opens the file after another boot: what is dated before it, or no later than the latest request, may be
// forgotten.
func TestNonceBoot(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"right": 0, "ahead": 10 * time.Minute, "far ahead": NonceWindow} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "nonces")
			now := time.Now()
			date := now.Add(ahead) // by the client's clock
			g := newNonces(t, path, 10, 10, now)
			if got := g.use("key", "a", date.Add(NonceWindow), now); got != nonceFresh {
				t.Fatal(got)
			}
			if got := g.use("key", "b", now.Add(NonceWindow), now); got != nonceFresh {
				t.Fatal(got)
			}
			closeNonces(t, g)

			g = newNonces(t, path, 10, 10, now)
			if g.beforeMemory(now) {
				t.Error("a restart of the process forgets nothing")
			}
			otherBoot(g)
			closeNonces(t, g)

			for range 2 { // the floor outlives another restart
				g = newNonces(t, path, 10, 10, now)
				if !g.beforeMemory(date) || g.beforeMemory(date.Add(2*time.Second)) {
					t.Error("after another boot, what is dated no later than the latest request may be forgotten")
				}
				closeNonces(t, g)
			}
		})
	}
}

// TestNonceFileGone starts without the file. Where the node never served before, clients whose clocks are behind are
// welcome; where it did, what is dated before may have been used.
func TestNonceFileGone(t *testing.T) {
	now := time.Now()
	for _, first := range []bool{true, false} {
		settings := nonceSettings(filepath.Join(t.TempDir(), "nonces"), 10, 10, now)
		settings.first = first
		for _, when := range []string{"made", "opened again"} {
			g, err := openNonces(settings)
			if err != nil {
				t.Fatal(err)
			}
			if got := g.beforeMemory(now); got == first {
				t.Errorf("first start %v, %s: a request of now is refused: %v", first, when, got)
			}
			if g.beforeMemory(now.Add(2 * time.Second)) {
				t.Errorf("first start %v, %s: a request that came later is refused", first, when)
			}
			closeNonces(t, g)
			settings.first = false // the second time
		}
	}
}

// TestNonceFileUnmapped lets the system refuse to map tables: the nonces in them are not forgotten.
func TestNonceFileUnmapped(t *testing.T) {
	settings := nonceSettings(filepath.Join(t.TempDir(), "nonces"), 10, 10, nonceEpoch)
	g, err := openNonces(settings)
	if err != nil {
		t.Fatal(err)
	}
	if got := g.use("key", "a", nonceEpoch.Add(NonceWindow), nonceEpoch); got != nonceFresh {
		t.Fatal(got)
	}
	closeNonces(t, g)
	whole := settings
	settings.mmap = func(file *os.File, offset int64, size int) ([]byte, error) {
		if offset > 0 {
			return nil, syscall.ENOMEM
		}
		return mapShared(file, offset, size)
	}
	if _, err := openNonces(settings); !errors.Is(err, syscall.ENOMEM) || !strings.Contains(err.Error(), settings.path) {
		t.Errorf("without room for its tables: %v", err)
	}
	if g, err = openNonces(whole); err != nil {
		t.Fatal(err)
	}
	if got := g.use("key", "a", nonceEpoch.Add(NonceWindow), nonceEpoch); got != nonceUsed {
		t.Errorf("with room again: %d, want %d", got, nonceUsed)
	}
	closeNonces(t, g)
}

// TestNonceFileDamaged opens files that are not whole.
func TestNonceFileDamaged(t *testing.T) {
	now := time.Now()
	path := filepath.Join(t.TempDir(), "nonces")
	g := newNonces(t, path, 1<<20, 1<<20, now)
	for i := range 1000 {
		g.use("key", strconv.Itoa(i), now.Add(NonceWindow), now)
	}
	closeNonces(t, g)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rows := 8 + 16 + 40 + 16 + 8 // magic, hash key, boot id, two times, sum
	slot := nonceHeadSize
	for bytes.Equal(whole[slot:slot+8], make([]byte, 8)) {
		slot += 8
	}
	for name, damage := range map[string]func([]byte) []byte{
		"short":      func(b []byte) []byte { return b[:nonceHeadSize-1] },
		"cut":        func(b []byte) []byte { return b[:nonceHeadSize+8] },
		"magic":      func(b []byte) []byte { b[0] ^= 1; return b },
		"offset":     func(b []byte) []byte { b[rows] ^= 1; return b },
		"slots":      func(b []byte) []byte { b[rows+8] ^= 1; return b },
		"negative":   func(b []byte) []byte { b[rows+15] ^= 0x80; return b },
		"epoch":      func(b []byte) []byte { b[rows+23] ^= 0x80; return b },
		"hash key":   func(b []byte) []byte { b[8] ^= 1; return b },
		"freed":      func(b []byte) []byte { clear(b[rows+16 : rows+24]); return b },
		"no row":     func(b []byte) []byte { clear(b[rows+8 : rows+16]); return b },
		"sum":        func(b []byte) []byte { b[rows+24] ^= 1; return b },
		"slot bit":   func(b []byte) []byte { b[slot+3] ^= 1; return b },
		"slot gone":  func(b []byte) []byte { clear(b[slot : slot+8]); return b },
		"slot moved": func(b []byte) []byte { copy(b[len(b)-8:], b[slot:slot+8]); clear(b[slot : slot+8]); return b },
		"table gone": func(b []byte) []byte { clear(b[nonceHeadSize:]); return b },
		"full": func(b []byte) []byte {
			return append(b[:nonceHeadSize], bytes.Repeat([]byte{1}, len(b)-nonceHeadSize)...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "nonces")
			if err := os.WriteFile(path, damage(append([]byte{}, whole...)), 0o600); err != nil {
				t.Fatal(err)
			}
			// What is found is noted for good: the next start knows of it too.
			closeNonces(t, newNonces(t, path, 10, 10, now))
			g := newNonces(t, path, 10, 10, now)
			defer closeNonces(t, g)
			if !g.beforeMemory(now) || g.beforeMemory(now.Add(2*time.Second)) {
				t.Error("what is dated before the damage was found may be forgotten")
			}
			if got := g.use("key", "fresh", now.Add(NonceWindow), now); got != nonceFresh {
				t.Error(got)
			}
		})
	}
}

// TestNonceFileTorn opens files as a kill leaves them between the store of a slot and that of the sum: nothing is lost,
// and nothing is refused. Two slots too many are not of that kind.
func TestNonceFileTorn(t *testing.T) {
	for _, torn := range []int{0, 1, 2} {
		t.Run(strconv.Itoa(torn), func(t *testing.T) {
			now := time.Now()
			path := filepath.Join(t.TempDir(), "nonces")
			const n = 1000
			g := newNonces(t, path, 2*n, 2*n, now)
			f := g.extents.(*nonceFile)
			var before uint64
			for i := range n {
				if i == n-torn {
					before = f.head.rows[0].sum
				}
				if got := g.use("key", strconv.Itoa(i), now.Add(NonceWindow), now); got != nonceFresh {
					t.Fatal(got)
				}
			}
			if torn > 0 {
				f.head.rows[0].sum = before
			}
			closeNonces(t, g)
			for range 2 {
				g = newNonces(t, path, 2*n, 2*n, now)
				if got, want := g.beforeMemory(now), torn > 1; got != want {
					t.Errorf("requests of now are refused: %v, want %v", got, want)
				}
				for i := range n {
					if got := g.use("key", strconv.Itoa(i), now.Add(NonceWindow), now); torn < 2 && got != nonceUsed {
						t.Fatalf("nonce %d: %d, want %d", i, got, nonceUsed)
					}
				}
				closeNonces(t, g)
			}
		})
	}
}
