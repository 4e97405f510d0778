package api

import (
	"bufio"
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

var nonceEpoch = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)

func nonceSettings(path string, perKey, total int, now time.Time) nonceConfig {
	return nonceConfig{
		path: path, first: true, perKey: perKey, total: total,
		now: func() time.Time { return now }, logger: slog.New(slog.DiscardHandler),
	}
}

func newNonces(t testing.TB, path string, perKey, total int, now time.Time) *nonceGuard {
	t.Helper()
	g, err := openNonces(nonceSettings(path, perKey, total, now))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// otherBoot makes the file of g one from before the last boot.
func otherBoot(g *nonceGuard) {
	f := g.extents.(*nonceFile)
	f.head.boot[0] ^= 1
	f.seal()
}

func closeNonces(t testing.TB, g *nonceGuard) {
	t.Helper()
	if err := g.close(); err != nil {
		t.Fatal(err)
	}
}

// TestNoncesAgainstModel plays random requests, dated anywhere in the window, over four hours, and compares every
// verdict with a map that forgets nothing.
func TestNoncesAgainstModel(t *testing.T) {
	for _, file := range []bool{false, true} {
		t.Run(fmt.Sprintf("file=%v", file), func(t *testing.T) {
			path := ""
			if file {
				path = filepath.Join(t.TempDir(), "nonces")
			}
			g := newNonces(t, path, 1<<20, 1<<20, nonceEpoch)
			random := rand.New(rand.NewPCG(1, 2))
			expires := make(map[string]time.Time)
			now := nonceEpoch
			for i := range 60_000 {
				now = now.Add(time.Duration(random.IntN(480)) * time.Millisecond)
				if file && i%20_000 == 19_999 {
					closeNonces(t, g)
					g = newNonces(t, path, 1<<20, 1<<20, now)
				}
				key, nonce := "key"+strconv.Itoa(random.IntN(3)), strconv.Itoa(random.IntN(8000))
				stamp := now.Truncate(time.Second).Add(time.Duration(random.IntN(1799)-899) * time.Second)
				want := nonceFresh
				if until, ok := expires[key+" "+nonce]; ok && !now.Truncate(time.Second).After(until) {
					want = nonceUsed
				}
				got := g.use(key, nonce, stamp.Add(NonceWindow), now)
				if got != want {
					t.Fatalf("step %d, %s %s at %v dated %v: %d, want %d", i, key, nonce, now, stamp, got, want)
				}
				if got == nonceFresh {
					expires[key+" "+nonce] = stamp.Add(NonceWindow)
				}
			}
			closeNonces(t, g)
		})
	}
}

// TestNonceIsKeptByItsTime dates a request almost 15 minutes ahead: its nonce is still taken half an hour later.
func TestNonceIsKeptByItsTime(t *testing.T) {
	g := newNonces(t, "", 10, 10, nonceEpoch)
	expires := nonceEpoch.Add(2 * NonceWindow)
	for _, tc := range []struct {
		after time.Duration
		want  nonceVerdict
	}{{0, nonceFresh}, {time.Second, nonceUsed}, {2*NonceWindow - time.Second, nonceUsed}, {2 * NonceWindow, nonceUsed}} {
		if got := g.use("key", "nonce", expires, nonceEpoch.Add(tc.after)); got != tc.want {
			t.Errorf("after %v: %d, want %d", tc.after, got, tc.want)
		}
	}
	later := nonceEpoch.Add(2*NonceWindow + time.Second)
	if got := g.use("key", "nonce", later.Add(NonceWindow), later); got != nonceFresh {
		t.Errorf("after its time: %d, want %d", got, nonceFresh)
	}
}

// TestNonceCaps fills the share of a key, then the node's: nothing is evicted, and time makes room.
func TestNonceCaps(t *testing.T) {
	const perKey, total = 100, 150
	g := newNonces(t, "", perKey, total, nonceEpoch)
	use := func(key string, i int, now time.Time) nonceVerdict {
		return g.use(key, strconv.Itoa(i), now.Add(NonceWindow), now)
	}
	for i := range perKey {
		if got := use("a", i, nonceEpoch); got != nonceFresh {
			t.Fatalf("a %d: %d", i, got)
		}
	}
	if got := use("a", perKey, nonceEpoch); got != nonceKeyFull {
		t.Errorf("one past the share of a key: %d", got)
	}
	for i := range total - perKey {
		if got := use("b", i, nonceEpoch); got != nonceFresh {
			t.Fatalf("b %d: %d", i, got)
		}
	}
	if got := use("b", total, nonceEpoch); got != nonceFull {
		t.Errorf("one past the node's: %d", got)
	}
	for i := range perKey {
		if got := use("a", i, nonceEpoch); got != nonceUsed {
			t.Fatalf("a %d was forgotten: %d", i, got)
		}
	}
	if got := use("a", perKey, nonceEpoch.Add(NonceWindow+epochSeconds*time.Second)); got != nonceFresh {
		t.Errorf("after the window: %d", got)
	}
}

// TestNonceTablesGrow takes far more nonces than a first table holds, and finds each again, after a restart too.
func TestNonceTablesGrow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nonces")
	const n = 5 * firstTable
	g := newNonces(t, path, 2*n, 2*n, nonceEpoch)
	use := func(i int, now time.Time) nonceVerdict {
		return g.use("key", strconv.Itoa(i), now.Add(NonceWindow), now)
	}
	for i := range n {
		if got := use(i, nonceEpoch); got != nonceFresh {
			t.Fatalf("%d: %d", i, got)
		}
	}
	closeNonces(t, g)
	g = newNonces(t, path, 2*n, 2*n, nonceEpoch)
	if g.live() != n {
		t.Errorf("%d live after a restart, want %d", g.live(), n)
	}
	for i := range n {
		if got := use(i, nonceEpoch.Add(time.Minute)); got != nonceUsed {
			t.Fatalf("%d: %d", i, got)
		}
	}
	// Once every place of the ring was used with this traffic, it needs no more room.
	var settled int64
	for minute := 2; minute <= 200; minute += 2 {
		now := nonceEpoch.Add(time.Duration(minute) * time.Minute)
		for i := range 100 {
			if got := use(n+minute*100+i, now); got != nonceFresh {
				t.Fatalf("minute %d: %d", minute, got)
			}
		}
		switch size := g.extents.(*nonceFile).size; {
		case minute == 80:
			settled = size
		case minute > 80 && size > settled:
			t.Fatalf("minute %d: the file grew from %d to %d bytes", minute, settled, size)
		}
	}
	closeNonces(t, g)
}

// TestNonceClockBack sets the clock back by half an hour: what was dropped cannot be told from fresh, and is refused.
func TestNonceClockBack(t *testing.T) {
	g := newNonces(t, "", 10, 10, nonceEpoch)
	if got := g.use("key", "a", nonceEpoch.Add(NonceWindow), nonceEpoch); got != nonceFresh {
		t.Fatal(got)
	}
	later := nonceEpoch.Add(32 * time.Minute) // the same place in the ring
	if got := g.use("key", "b", later.Add(NonceWindow), later); got != nonceFresh {
		t.Fatal(got)
	}
	if got := g.use("key", "a", nonceEpoch.Add(NonceWindow), nonceEpoch); got != nonceForgotten {
		t.Errorf("after the clock went back: %d, want %d", got, nonceForgotten)
	}
}

// TestNonceClockFarAhead lets the clock run ahead for a while, in one process and over a restart, with the boot known
// and another one: then the node works again at once, but for cryptography with what it may have forgotten.
func TestNonceClockFarAhead(t *testing.T) {
	const year = 365 * 24 * time.Hour
	for _, tc := range []struct {
		name          string
		restart, boot bool
	}{{name: "running"}, {name: "restarted", restart: true}, {name: "booted", restart: true, boot: true}} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "nonces")
			now := time.Now().Truncate(time.Second)
			var log bytes.Buffer
			settings := nonceSettings(path, 20, 100, now)
			settings.logger = slog.New(slog.NewJSONHandler(&log, nil))
			open := func() *nonceGuard {
				g, err := openNonces(settings)
				if err != nil {
					t.Fatal(err)
				}
				return g
			}
			g := open()
			if got := g.use("key", "a", now.Add(2*NonceWindow), now); got != nonceFresh {
				t.Fatal(got)
			}
			for i := range nonceBuckets { // every place of the ring is taken
				wrong := now.Add(year + time.Duration(i)*epochSeconds*time.Second)
				if got := g.use("key", "wrong"+strconv.Itoa(i), wrong.Add(NonceWindow), wrong); got != nonceFresh {
					t.Fatal(got)
				}
			}
			for restart := range 3 {
				if tc.restart {
					if tc.boot {
						otherBoot(g)
					}
					closeNonces(t, g)
					g = open()
				}
				for i := range 10 {
					at := now.Add(time.Duration(i) * time.Second)
					if got := g.use("key"+strconv.Itoa(restart), strconv.Itoa(i), at.Add(NonceWindow), at); got != nonceFresh {
						t.Fatalf("nonce %d: %d", i, got)
					}
				}
				if !g.beforeMemory(now.Add(NonceWindow)) {
					t.Error("a request that may have been used before the clock ran ahead is good for cryptography")
				}
				if g.beforeMemory(now.Add(NonceWindow + 2*time.Second)) {
					t.Errorf("cryptography is refused until %v", time.Unix(g.floor.Load(), 0))
				}
			}
			closeNonces(t, g)
			if !strings.Contains(log.String(), `"level":"ERROR"`) || !strings.Contains(log.String(), "api.nonces_clock") {
				t.Errorf("the log says %s", log.String())
			}
		})
	}
}

// TestNoncesSurviveKill lets another process use nonces, kills it, and finds every nonce that it had been granted.
func TestNoncesSurviveKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nonces")
	child := exec.Command(os.Args[0], "-test.run=^TestNonceChild$")
	child.Env = append(os.Environ(), "MERIDIAN_TEST_NONCES="+path)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	granted := 0
	lines := bufio.NewScanner(out)
	for granted < 20_000 && lines.Scan() {
		if strings.HasPrefix(lines.Text(), "granted ") {
			granted++
		}
	}
	if err := child.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // killed
	if granted < 20_000 {
		t.Fatalf("%d granted", granted)
	}
	g := newNonces(t, path, 1<<20, 1<<20, nonceEpoch)
	for i := range granted {
		if got := g.use("key", strconv.Itoa(i), nonceEpoch.Add(NonceWindow), nonceEpoch); got != nonceUsed {
			t.Fatalf("nonce %d was forgotten: %d", i, got)
		}
	}
	closeNonces(t, g)
}

// TestNonceChild is the process that TestNoncesSurviveKill kills.
func TestNonceChild(t *testing.T) {
	path := os.Getenv("MERIDIAN_TEST_NONCES")
	if path == "" {
		t.Skip("run by TestNoncesSurviveKill")
	}
	g := newNonces(t, path, 1<<20, 1<<20, nonceEpoch)
	for i := 0; ; i++ {
		if got := g.use("key", strconv.Itoa(i), nonceEpoch.Add(NonceWindow), nonceEpoch); got != nonceFresh {
			t.Fatalf("nonce %d: %d", i, got)
		}
		fmt.Println("granted", i)
	}
}

// TestNoncesConcurrently lets many use the same nonces: each is granted once.
func TestNoncesConcurrently(t *testing.T) {
	g := newNonces(t, filepath.Join(t.TempDir(), "nonces"), 1<<20, 1<<20, nonceEpoch)
	var granted atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 2000 {
				if g.use("key", strconv.Itoa(i), nonceEpoch.Add(NonceWindow), nonceEpoch) == nonceFresh {
					granted.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if granted.Load() != 2000 {
		t.Errorf("%d granted, want 2000", granted.Load())
	}
	closeNonces(t, g)
}

func BenchmarkNonce(b *testing.B) {
	g := newNonces(b, filepath.Join(b.TempDir(), "nonces"), DefaultNoncesPerKey, DefaultNonces, nonceEpoch)
	defer closeNonces(b, g)
	b.ReportAllocs()
	nonce := make([]byte, 0, 32)
	for i := 0; b.Loop(); i++ {
		nonce = strconv.AppendInt(nonce[:0], int64(i), 10)
		now := nonceEpoch.Add(time.Duration(i) * 50 * time.Microsecond)
		if got := g.use("key", stringOf(nonce), now.Add(NonceWindow), now); got != nonceFresh {
			b.Fatal(got)
		}
	}
}
