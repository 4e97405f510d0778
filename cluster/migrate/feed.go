package migrate

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
)

// feedBytes is how much is read at a time.
const feedBytes = 128 << 10

// maxCarried bounds a row that is carried through though it is too long to be read, in bytes. No memory would be enough for
// rows without a bound, and no row is lost silently: a longer one ends the run.
const maxCarried = 16 << 20

// errTooLong says that a row is longer than that.
var errTooLong = fmt.Errorf("it has a row of more than %d bytes", maxCarried)

// feed reads an input line by line, and hashes it as far as its rows are whole: formats read ahead of the rows that they
// return, and the end of an input that breaks off belongs to none. What is not a whole row yet can be read once more.
type feed struct {
	input   io.Reader
	err     error // of the input, behind what is in the buffer
	buffer  []byte
	settled int   // where the rows end that are whole
	at      int   // what is not used yet
	end     int   // of what was read
	base    int64 // of the buffer's first byte, in the input
	hash    hash.Hash
	hashed  int // how far the hash is
}

// feedOf makes a feed of an input that is none yet.
func feedOf(input io.Reader) *feed {
	if f, ok := input.(*feed); ok {
		return f
	}
	return &feed{input: input, buffer: make([]byte, feedBytes)}
}

// hashedFeed is a feed that can tell sums.
func hashedFeed(input io.Reader) *feed {
	f := feedOf(input)
	f.hash = sha256.New()
	return f
}

// line uses the text up to the end of a line, with it, and returns what was used of the row so far. It is good until the
// next call. The last line comes with [io.EOF] if it has no end, and so does nothing. Errors: errTooLong, the input's.
func (f *feed) line() (row []byte, err error) {
	for searched := f.at; ; {
		if i := bytes.IndexByte(f.buffer[searched:f.end], '\n'); i >= 0 {
			f.at = searched + i + 1
			return f.row()
		}
		searched = f.end - f.settled // what is settled goes
		switch {
		case f.err == io.EOF:
			f.at = f.end
			if row, err = f.row(); err == nil {
				err = io.EOF
			}
			return row, err
		case f.err != nil:
			return nil, f.err
		case searched > maxCarried:
			return nil, errTooLong
		}
		f.fill()
	}
}

// row is what was used of the row so far.
func (f *feed) row() ([]byte, error) {
	if f.at-f.settled > maxCarried {
		return nil, errTooLong
	}
	return f.buffer[f.settled:f.at], nil
}

// peek returns the first bytes of what is not used yet, as many as there are if they are fewer.
func (f *feed) peek(n int) []byte {
	for f.end-f.at < n && f.err == nil {
		f.fill()
	}
	return f.buffer[f.at:min(f.at+n, f.end)]
}

// pass passes over the next n bytes, which are no part of a row.
func (f *feed) pass(n int) {
	f.at += n
	f.settle()
}

// backTo makes the first n bytes of the row all that was used of it.
func (f *feed) backTo(n int) { f.at = f.settled + n }

// settle says that what was used so far are whole rows.
func (f *feed) settle() { f.settled = f.at }

// offset is how many bytes of the input the whole rows took.
func (f *feed) offset() int64 { return f.base + int64(f.settled) }

// Read is for what reads the input in another way than by lines. All that was read counts as whole rows.
func (f *feed) Read(p []byte) (int, error) {
	if f.at == f.end && f.err == nil {
		f.fill()
	}
	if f.at == f.end {
		return 0, f.err
	}
	n := copy(p, f.buffer[f.at:f.end])
	f.at += n
	f.settle()
	return n, nil
}

// fill reads more behind what is not a whole row yet, in a bigger buffer if that has no end.
func (f *feed) fill() {
	f.hashTo(f.settled)
	f.base += int64(f.settled)
	rest := f.buffer[f.settled:f.end]
	f.at, f.end, f.settled, f.hashed = f.at-f.settled, len(rest), 0, 0
	if len(f.buffer)-len(rest) < feedBytes/2 {
		f.buffer = make([]byte, 2*len(f.buffer))
	}
	copy(f.buffer, rest)
	n, err := f.input.Read(f.buffer[f.end:])
	f.end += n
	f.err = err
}

// hashTo hashes up to a place in the buffer.
func (f *feed) hashTo(to int) {
	if f.hash != nil {
		f.hash.Write(f.buffer[f.hashed:to])
	}
	f.hashed = to
}

// sum returns the SHA-256 of the whole rows, hex.
func (f *feed) sum() string {
	f.hashTo(f.settled)
	return hex.EncodeToString(f.hash.Sum(nil))
}

// byteOrderMark is what some programs write before UTF-8. It is no part of the rows, and does not come out.
const byteOrderMark = "\xef\xbb\xbf"

// arena hands out pieces of bigger ones, for what is needed about as long.
type arena struct{ free []byte }

func (a *arena) take(n int) []byte {
	if n > len(a.free) {
		a.free = make([]byte, max(n, 64<<10))
	}
	piece := a.free[:n:n]
	a.free = a.free[n:]
	return piece
}

// keep returns a copy of a text.
func (a *arena) keep(text []byte) []byte {
	kept := a.take(len(text))
	copy(kept, text)
	return kept
}
