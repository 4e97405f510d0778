package migrate

import (
	"bufio"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// sink is the end of a file that rows are appended to, packed or not. What was packed between two syncs is one gzip member
// or zstd frame: a file that is cut back to where a sync ended is whole, and so is what is appended there.
type sink struct {
	file   *os.File // to be synced; nil if the output cannot be
	buffer *bufio.Writer
	packer packer // nil if nothing is packed
	begun  bool   // the packer has a member open
	size   int64  // of the output, with what is in the buffer
}

// packer is a writer that packs: Close ends a member, Reset begins one.
type packer interface {
	io.WriteCloser
	Reset(w io.Writer)
}

// packWindow bounds the memory that packing and unpacking the output takes.
const packWindow = 1 << 20

// newPacker makes what packs so; nil for what packs nothing.
func newPacker(c Compression) (packer, error) {
	switch c {
	case Plain:
		return nil, nil
	case Gzip:
		return gzip.NewWriter(nil), nil
	case Zstd:
		return zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(packWindow), zstd.WithEncoderCRC(true), zstd.WithZeroFrames(true))
	}
	return nil, fmt.Errorf("compression %q: want %s, %s or %s", c, Gzip, Zstd, Plain)
}

// Write puts rows into the buffer.
func (s *sink) Write(text []byte) (int, error) {
	if s.packer == nil {
		return s.append(text)
	}
	s.begin()
	return s.packer.Write(text)
}

// begin begins a member if none is open.
func (s *sink) begin() {
	if !s.begun {
		s.packer.Reset(appender{s})
		s.begun = true
	}
}

func (s *sink) append(text []byte) (int, error) {
	n, err := s.buffer.Write(text)
	s.size += int64(n)
	return n, err
}

// appender takes what was packed.
type appender struct{ sink *sink }

func (a appender) Write(text []byte) (int, error) { return a.sink.append(text) }

// sync ends the member and makes everything durable, where the output can be made so. An output without rows has one empty
// member, for a file of no bytes is none that could be unpacked.
func (s *sink) sync() (int64, error) {
	if s.packer != nil && s.size == 0 {
		s.begin()
	}
	if s.begun {
		s.begun = false
		if err := s.packer.Close(); err != nil {
			return s.size, err
		}
	}
	if err := s.buffer.Flush(); err != nil {
		return s.size, err
	}
	if s.file == nil {
		return s.size, nil
	}
	return s.size, s.file.Sync()
}
