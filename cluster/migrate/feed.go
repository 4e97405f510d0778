package migrate

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
)

// feedBytes is how much is read at a time, and how long a line may be that comes in one piece.
const feedBytes = 128 << 10

// feed reads an input line by line, and hashes it as far as its rows are whole. Formats read ahead of the rows that they
// return, and the end of an input that breaks off belongs to none.
type feed struct {
	input    io.Reader
	err      error // of the input, behind what is in the buffer
	buffer   []byte
	at, end  int   // what is not used yet
	base     int64 // of the buffer's first byte, in the input
	settled  int64 // bytes of the input that are whole rows
	hash     hash.Hash
	hashed   int64  // bytes of the input
	snapshot string // the sum of the settled bytes, where more had to be hashed
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

// slice returns the text up to the end of a line, with it. It is good until the next call. As [bufio.Reader.ReadSlice] it
// returns a part with [bufio.ErrBufferFull], and the last one with [io.EOF] if no line end is there.
func (f *feed) slice() ([]byte, error) {
	for searched := 0; ; {
		if i := bytes.IndexByte(f.buffer[f.at+searched:f.end], '\n'); i >= 0 {
			return f.use(searched + i + 1), nil
		}
		searched = f.end - f.at
		switch {
		case f.err == io.EOF:
			return f.use(searched), io.EOF
		case f.err != nil:
			return nil, f.err
		case searched == len(f.buffer):
			return f.use(searched), bufio.ErrBufferFull
		}
		f.fill()
	}
}

// use takes so many bytes.
func (f *feed) use(n int) []byte {
	f.at += n
	return f.buffer[f.at-n : f.at]
}

// Read is for what reads the input in another way than by lines. All that was read counts as whole rows.
func (f *feed) Read(p []byte) (int, error) {
	if f.at == f.end && f.err == nil {
		f.fill()
	}
	if f.at == f.end {
		return 0, f.err
	}
	n := copy(p, f.use(min(len(p), f.end-f.at)))
	f.settle()
	return n, nil
}

// fill reads more, in the place of what was used.
func (f *feed) fill() {
	if f.hash != nil {
		used := f.base + int64(f.at)
		f.hashTo(min(f.settled, used))
		if used > f.settled {
			if f.hashed == f.settled {
				f.snapshot = f.total()
			}
			f.hashTo(used)
		}
	}
	f.base += int64(f.at)
	f.end = copy(f.buffer, f.buffer[f.at:f.end])
	f.at = 0
	n, err := f.input.Read(f.buffer[f.end:])
	f.end += n
	f.err = err
}

// hashTo hashes up to a byte of the input, if it is not yet.
func (f *feed) hashTo(to int64) {
	if to > f.hashed {
		f.hash.Write(f.buffer[f.hashed-f.base : to-f.base])
		f.hashed = to
	}
}

func (f *feed) total() string { return hex.EncodeToString(f.hash.Sum(nil)) }

// settle says that what was used so far are whole rows.
func (f *feed) settle() { f.settled = f.base + int64(f.at) }

// sum returns the SHA-256 of the whole rows, hex.
func (f *feed) sum() string {
	if f.hashed > f.settled {
		return f.snapshot
	}
	f.hashTo(f.settled)
	return f.total()
}

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

// keep returns a copy of a text behind another one that was kept.
func (a *arena) keep(first, second []byte) []byte {
	if len(first) > 0 {
		return append(first, second...) // it grows as slices do, whatever the number of parts
	}
	text := a.take(len(second))
	copy(text, second)
	return text
}
