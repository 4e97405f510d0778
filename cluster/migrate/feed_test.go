package migrate

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"
)

// piecewise returns pieces of random sizes.
type piecewise struct {
	io.Reader
	random *rand.Rand
	most   int
}

func (p *piecewise) Read(b []byte) (int, error) {
	return p.Reader.Read(b[:min(len(b), 1+p.random.IntN(p.most))])
}

// A feed returns what its input holds, line by line, and at each moment the sum of the whole rows, also of one with lines
// longer than its buffer and rows of many lines that break off.
func TestFeed(t *testing.T) {
	broken := errors.New("broken")
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 5))
		var text []byte
		for range 1 + random.IntN(30) {
			long := []int{10, 300, feedBytes, 3 * feedBytes}[random.IntN(4)]
			text = append(append(text, bytes.Repeat([]byte{'x'}, random.IntN(long)+random.IntN(2))...), '\n')
		}
		text = text[:len(text)-random.IntN(2)]
		f := hashedFeed(&piecewise{io.MultiReader(bytes.NewReader(text), iotest.ErrReader(broken)), random, 1 + random.IntN(2*feedBytes)})
		var got []byte
		var whole int
		for {
			part, err := f.slice()
			got = append(got, part...)
			if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
				if !errors.Is(err, broken) || len(part) > 0 {
					t.Fatalf("seed %d: %d bytes, %v", seed, len(part), err)
				}
				break
			}
			if err == nil && random.IntN(3) > 0 {
				f.settle()
				whole = len(got)
			}
			if random.IntN(4) == 0 {
				checkSum(t, f, text[:whole])
			}
		}
		checkSum(t, f, text[:whole])
		if last := bytes.LastIndexByte(text, '\n') + 1; !bytes.Equal(got[:last], text[:last]) {
			t.Fatalf("seed %d: %d bytes, not %d", seed, len(got), last)
		}
	}
}

func checkSum(t *testing.T, f *feed, whole []byte) {
	t.Helper()
	want := sha256.Sum256(whole)
	if got := f.sum(); f.settled != int64(len(whole)) || got != hex.EncodeToString(want[:]) {
		t.Fatalf("the sum of %d bytes is %s, want %x of %d", f.settled, got, want, len(whole))
	}
}

// An input of lines without end comes to its end with what is behind the last line end.
func TestFeedEnds(t *testing.T) {
	f := hashedFeed(iotest.DataErrReader(bytes.NewReader([]byte("a\nb"))))
	for _, want := range []struct {
		text string
		err  error
	}{{"a\n", nil}, {"b", io.EOF}, {"", io.EOF}} {
		if got, err := f.slice(); string(got) != want.text || err != want.err {
			t.Errorf("%q, %v; want %q, %v", got, err, want.text, want.err)
		}
		f.settle()
	}
	checkSum(t, f, []byte("a\nb"))
}
