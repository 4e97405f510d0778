package migrate

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Compression is how the bytes of a file are packed.
type Compression string

const (
	Plain Compression = "none"
	Gzip  Compression = "gzip" // RFC 1952
	Zstd  Compression = "zstd" // RFC 8878
)

// MaxWindow bounds the memory that a zstd frame may ask of its reader, in bytes: the frames of zstd -1 to -19 need 8 MiB.
const MaxWindow = 32 << 20

// ErrInputDamaged says that compressed input is not whole. Rows before the damage are moved.
var ErrInputDamaged = errors.New("the compressed input is damaged")

// CompressionOf is how a file is packed that has this name, and the name without the ending that says so.
func CompressionOf(path string) (c Compression, inner string) {
	switch end := filepath.Ext(path); end {
	case ".gz":
		return Gzip, path[:len(path)-len(end)]
	case ".zst":
		return Zstd, path[:len(path)-len(end)]
	}
	return Plain, path
}

// magic is how packed bytes begin: no row and no header does.
var magic = map[Compression][]byte{Gzip: {0x1f, 0x8b}, Zstd: {0x28, 0xb5, 0x2f, 0xfd}}

// Unpack reads what is packed in r, which is looked at with the first Read. The input is packed as its name says; one with
// another name, such as that of standard input, as its first bytes say. Of members or frames that follow one another all
// are read. Errors are [ErrInputDamaged] with the place, and r's own.
func Unpack(r io.Reader, name string) io.Reader {
	named, _ := CompressionOf(name)
	u := &unpacker{compression: named}
	u.raw.input = r
	u.buffer = bufio.NewReaderSize(&u.raw, 64<<10)
	return u
}

// unpacker reads one input.
type unpacker struct {
	compression Compression
	raw         countingReader
	buffer      *bufio.Reader
	unpacked    io.Reader // nil until the first Read
	err         error     // that was returned
}

// countingReader counts what is read, and remembers what went wrong that was not the end.
type countingReader struct {
	input io.Reader
	read  int64
	err   error
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.input.Read(p)
	c.read += int64(n)
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}

func (u *unpacker) Read(p []byte) (n int, err error) {
	if u.err != nil {
		return 0, u.err
	}
	if u.unpacked == nil {
		err = u.open()
	}
	if err == nil {
		n, err = u.unpacked.Read(p)
	}
	if err != nil && err != io.EOF {
		err = u.explain(err)
	}
	u.err = err
	return n, err
}

// open finds out how the input is packed. An empty file holds no rows, but it is no packed file either.
func (u *unpacker) open() (err error) {
	begin, err := u.buffer.Peek(4)
	if err != nil && err != io.EOF {
		return err
	}
	if u.compression == Plain {
		for c, bytesOf := range magic {
			if bytes.HasPrefix(begin, bytesOf) {
				u.compression = c
			}
		}
	}
	switch {
	case u.compression == Plain:
		u.unpacked = u.buffer
		return nil
	case len(begin) == 0:
		return io.ErrUnexpectedEOF
	case u.compression == Gzip:
		u.unpacked, err = gzip.NewReader(u.buffer)
	default:
		u.unpacked, err = zstd.NewReader(u.buffer, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(MaxWindow), zstd.WithDecoderMaxMemory(MaxWindow))
	}
	return err
}

// explain says what is wrong with the input, and where.
func (u *unpacker) explain(err error) error {
	if u.raw.err != nil {
		return u.raw.err
	}
	at := u.raw.read - int64(u.buffer.Buffered())
	switch {
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return fmt.Errorf("%w: a zstd frame near byte %d asks for a window of more than %d MiB; unpack it first (zstd -d --long=31), or pack it with less", ErrInputDamaged, at, MaxWindow>>20)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: the %s data is cut off at byte %d, or something else follows its end", ErrInputDamaged, u.compression, at)
	}
	return fmt.Errorf("%w: near byte %d of the %s data: %w", ErrInputDamaged, at, u.compression, err)
}
