package migrate

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
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
// longer than its buffer, and with rows of many lines that break off or are read once more.
func TestFeed(t *testing.T) {
	broken := errors.New("broken")
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 5))
		var text []byte
		for range 1 + random.IntN(30) {
			long := []int{10, 300, feedBytes, 3 * feedBytes}[random.IntN(4)]
			text = append(append(text, bytes.Repeat([]byte{byte('a' + random.IntN(26))}, random.IntN(long)+random.IntN(2))...), '\n')
		}
		text = text[:len(text)-random.IntN(2)]
		f := hashedFeed(&piecewise{io.MultiReader(bytes.NewReader(text), iotest.ErrReader(broken)), random, 1 + random.IntN(2*feedBytes)})
		whole, first := 0, 0 // bytes of whole rows, and of the first line of the next
		for {
			row, err := f.line()
			if err != nil {
				if !errors.Is(err, broken) || len(row) > 0 {
					t.Fatalf("seed %d: %d bytes, %v", seed, len(row), err)
				}
				break
			}
			if end := whole + len(row); end > len(text) || !bytes.Equal(row, text[whole:end]) || row[len(row)-1] != '\n' {
				t.Fatalf("seed %d: %d bytes at %d are others", seed, len(row), whole)
			}
			if first == 0 {
				first = len(row)
			}
			switch random.IntN(6) {
			case 0: // the row goes on
			case 1:
				f.backTo(first)
				if row, err := f.row(); err != nil || len(row) != first {
					t.Fatalf("seed %d: back to %d of %d bytes, %v", seed, len(row), first, err)
				}
				fallthrough
			default:
				row, _ := f.row()
				whole, first = whole+len(row), 0
				f.settle()
			}
			if random.IntN(4) == 0 {
				checkSum(t, f, text[:whole])
			}
		}
		checkSum(t, f, text[:whole])
	}
}

func checkSum(t *testing.T, f *feed, whole []byte) {
	t.Helper()
	want := sha256.Sum256(whole)
	if got := f.sum(); f.offset() != int64(len(whole)) || got != hex.EncodeToString(want[:]) {
		t.Fatalf("the sum of %d bytes is %s, want %x of %d", f.offset(), got, want, len(whole))
	}
}

// An input of lines without end comes to its end with what is behind the last line end.
func TestFeedEnds(t *testing.T) {
	f := hashedFeed(iotest.DataErrReader(bytes.NewReader([]byte("a\nb"))))
	for _, want := range []struct {
		text string
		err  error
	}{{"a\n", nil}, {"b", io.EOF}, {"", io.EOF}} {
		if got, err := f.line(); string(got) != want.text || err != want.err {
			t.Errorf("%q, %v; want %q, %v", got, err, want.text, want.err)
		}
		f.settle()
	}
	checkSum(t, f, []byte("a\nb"))
}

// A row may be carried through that is this long, and no longer.
func TestFeedBoundsRows(t *testing.T) {
	for size, want := range map[int]error{maxCarried - 1: nil, maxCarried: errTooLong} {
		f := feedOf(io.MultiReader(bytes.NewReader(bytes.Repeat([]byte{'x'}, size)), strings.NewReader("\nnext\n")))
		row, err := f.line()
		if err != want || err == nil && len(row) != size+1 {
			t.Errorf("%d bytes and an end: %d bytes, %v", size, len(row), err)
		}
		if f = feedOf(bytes.NewReader(bytes.Repeat([]byte{'x'}, size+1))); want == nil {
			want = io.EOF
		}
		if row, err = f.line(); err != want || err == io.EOF && len(row) != size+1 {
			t.Errorf("%d bytes at the end: %d bytes, %v", size+1, len(row), err)
		}
		// Of a row of several lines the first can still be read.
		f = feedOf(io.MultiReader(strings.NewReader("first\n"), bytes.NewReader(bytes.Repeat([]byte{'x'}, maxCarried))))
		if _, err := f.line(); err != nil {
			t.Fatal(err)
		}
		if _, err := f.line(); err != errTooLong {
			t.Errorf("the second line: %v", err)
		}
		f.backTo(6)
		if row, err := f.row(); err != nil || string(row) != "first\n" {
			t.Errorf("%q, %v", row, err)
		}
	}
}
