package migrate

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
)

// digester hashes what is read from it, but only as far as it was used: formats read ahead.
type digester struct {
	input   io.Reader
	hash    hash.Hash
	used    int64
	pending []byte // read and not used yet
}

func newDigester(input io.Reader) *digester { return &digester{input: input, hash: sha256.New()} }

func (d *digester) Read(p []byte) (int, error) {
	n, err := d.input.Read(p)
	d.pending = append(d.pending, p[:n]...)
	return n, err
}

// sum returns the SHA-256 of the first so many bytes, hex. It is never asked for fewer than before, nor for more than were
// read.
func (d *digester) sum(bytes int64) string {
	n := bytes - d.used
	d.hash.Write(d.pending[:n])
	d.pending = append(d.pending[:0], d.pending[n:]...)
	d.used = bytes
	return hex.EncodeToString(d.hash.Sum(nil))
}
