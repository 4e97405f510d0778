// Package batch is the form in which data keys travel between the nodes of two regions and who moves them: what the batch
// actions of Meridian's own API version take and answer in the body of a request.
//
// Numbers are unsigned, u16 and u32 in big-endian order; bytes(n) is a u16 or u32 of the length and then the bytes. A
// context is in its canonical form (crypto.Context). A message is what HPKE made, see crypto.TransportPublic; inside it
// stands
//
//	tag key (32) || for each data key in the order of the rows: u16 bytes
//
// without the data keys where it carries the key of the tags alone. The bodies are
//
//	ExportDataKeys  asks      u16 transport key || rows of: u16 blob || u16 context
//	                answers   u32 message || outcomes of: tag (16)
//	ImportDataKeys  asks      u32 message || rows of: key id (16) || u16 context
//	                answers   outcomes of: tag (16) || u16 blob
//	TagDataKeys     asks      u32 message || rows of: u16 blob || u16 context
//	                answers   outcomes of: tag (16)
//
// An outcome is 0 and what stands above, or 1 and why the row was refused: u16 code || u16 message. There are as many
// outcomes as rows, in their order; a message holds data keys of the rows that were not refused.
package batch

import (
	"encoding/binary"
	"errors"

	"meridian/crypto"
)

// Limits of one call.
const (
	// MaxRows is how many rows a call has at the most.
	MaxRows = 500
	// MaxBytes is how long the body of a request is at the most.
	MaxBytes = 1 << 20
)

// ContentType is that of these bodies.
const ContentType = "application/vnd.meridian.rows"

// ErrMalformed says that a body is not of the form above.
var ErrMalformed = errors.New("batch: the body is cut short or malformed")

// Outcomes.
const (
	done    = 0
	refused = 1
)

// Reader takes a body apart. After an error every read is empty.
type Reader struct {
	rest []byte
	err  error
}

// NewReader reads b. What it returns points into b.
func NewReader(b []byte) *Reader { return &Reader{rest: b} }

// More reports whether something is left to read.
func (r *Reader) More() bool { return r.err == nil && len(r.rest) > 0 }

// Err is nil, or ErrMalformed.
func (r *Reader) Err() error { return r.err }

// take returns the next n bytes.
func (r *Reader) take(n int) []byte {
	if r.err != nil || n > len(r.rest) {
		r.err, r.rest = ErrMalformed, nil
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

// Bytes reads bytes behind a u16.
func (r *Reader) Bytes() []byte {
	if n := r.take(2); n != nil {
		return r.take(int(binary.BigEndian.Uint16(n)))
	}
	return nil
}

// Message reads bytes behind a u32.
func (r *Reader) Message() []byte {
	n := r.take(4)
	if n == nil {
		return nil
	}
	size := binary.BigEndian.Uint32(n)
	if uint64(size) > uint64(len(r.rest)) {
		r.err, r.rest = ErrMalformed, nil
		return nil
	}
	return r.take(int(size))
}

// KeyID reads a key id.
func (r *Reader) KeyID() (id crypto.KeyID) {
	copy(id[:], r.take(len(id)))
	return id
}

// TagKey reads the key of tags, at the beginning of what a message holds.
func (r *Reader) TagKey() crypto.Secret { return r.take(crypto.TagKeyBytes) }

// Refusal is why a row was refused.
type Refusal struct{ Code, Message string }

// Outcome reads the beginning of an outcome: its tag, or why the row was refused.
func (r *Reader) Outcome() (tag []byte, why *Refusal) {
	kind := r.take(1)
	switch {
	case kind == nil:
		return nil, nil
	case kind[0] == done:
		return r.take(crypto.DataKeyTagBytes), nil
	case kind[0] == refused:
		return nil, &Refusal{Code: string(r.Bytes()), Message: string(r.Bytes())}
	}
	r.err, r.rest = ErrMalformed, nil
	return nil, nil
}

// AppendBytes appends bytes, at most 65,535, behind a u16.
func AppendBytes[T ~[]byte | ~string](dst []byte, b T) []byte {
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(b))), b...)
}

// AppendMessage appends bytes behind a u32.
func AppendMessage(dst, message []byte) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(message))), message...)
}

// AppendDone begins the outcome of a row that was not refused. Its tag follows.
func AppendDone(dst []byte) []byte { return append(dst, done) }

// AppendRefusal appends the outcome of a row that was refused.
func AppendRefusal(dst []byte, code, message string) []byte {
	return AppendBytes(AppendBytes(append(dst, refused), code), message)
}
