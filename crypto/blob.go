package crypto

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// Sizes of a blob, in bytes.
const (
	// MaxBlobBytes bounds a whole blob. It leaves room for the largest plaintext that a region may be set to take.
	MaxBlobBytes = 8192
	// MaxRegionBytes bounds a region's name.
	MaxRegionBytes = 63

	blobFormat     = 1
	blobFixedBytes = 4  // format, algorithm, flags, length of region
	blobIDsBytes   = 32 // key id, version id
	minBlobBytes   = blobFixedBytes + 1 + blobIDsBytes + Overhead
)

// blobDomain separates the AAD of blobs from every other use of a key. Its last digit is the format's number.
const (
	blobDomain         = "meridian/blob/1"
	blobAADPrefixBytes = len(blobDomain) + 4
)

var (
	// ErrNotBlob says that bytes are no ciphertext blob, whatever the key: foreign, cut, or of an unknown format.
	ErrNotBlob = errors.New("crypto: not a ciphertext blob")
	// ErrBlobTooLarge says that a plaintext does not fit into a blob of at most MaxBlobBytes.
	ErrBlobTooLarge = fmt.Errorf("crypto: the plaintext does not fit into a blob of %d bytes", MaxBlobBytes)
)

// Header says where a blob belongs and how it is sealed.
type Header struct {
	Algorithm Algorithm
	Region    string // 1 to 63 bytes, see [ValidRegion]
	KeyID     KeyID
	VersionID VersionID
}

// Blob is a ciphertext blob that was taken apart but not opened: what its header says is not authentic before Open.
//
// Format 1, lengths in bytes:
//
//	format      1   0x01
//	algorithm   1   0x01: XAES-256-GCM, 0x02: XSM4-GCM
//	flags       1   0x00: all bits reserved
//	length      1   of region, 1 to 63
//	region      n   lower-case letters, digits, hyphens
//	key id      16  UUID
//	version id  16  UUID
//	nonce       24
//	ciphertext  m   as long as the plaintext
//	tag         16
//
// The header is everything before the nonce. A blob has at most 8192 bytes. The last three parts are what the algorithm
// makes, see [XAES] and [XSM4], under the material of the key version that the header names, with
//
//	AAD = "meridian/blob/1" || u32(length of header) || header || u32(pairs) || pairs
//	pair = u32(length of name) || name || u32(length of value) || value
//
// where u32 is four bytes, big-endian, and the pairs of the encryption context are sorted by the bytes of their names.
// No context and an empty one are both u32(0). A blob opens only in the region, under the key version and in the context
// for which it was sealed. On the wire it is standard Base64 with padding.
type Blob struct {
	Header
	header []byte // as it came
	sealed []byte // nonce, ciphertext, tag
}

// ValidRegion says whether name can name a region: 1 to 63 lower-case letters, digits and hyphens, no hyphen first.
func ValidRegion(name string) bool { return validRegion(name) }

func validRegion[T string | []byte](name T) bool {
	if len(name) < 1 || len(name) > MaxRegionBytes || name[0] == '-' {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// ParseBlob takes a blob apart. The result keeps parts of b, which must not change while it is used. Every error is
// [ErrNotBlob] with its reason.
func ParseBlob(b []byte) (Blob, error) {
	header, err := BlobHeader(b)
	if err != nil {
		return Blob{}, err
	}
	ids := len(header) - blobIDsBytes
	return Blob{
		Header: Header{
			Algorithm: Algorithm(header[1]),
			Region:    string(header[blobFixedBytes:ids]),
			KeyID:     KeyID(header[ids:]),
			VersionID: VersionID(header[ids+16:]),
		},
		header: header,
		sealed: b[len(header):],
	}, nil
}

// BlobHeader returns the bytes of a blob's header, a part of b: blobs of one key version have the same. Errors as of
// [ParseBlob].
func BlobHeader(b []byte) ([]byte, error) {
	switch {
	case len(b) > MaxBlobBytes:
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrNotBlob, MaxBlobBytes)
	case len(b) == 0:
		return nil, fmt.Errorf("%w: empty", ErrNotBlob)
	case b[0] != blobFormat:
		return nil, fmt.Errorf("%w: format 0x%02x is unknown, this version reads format 0x%02x", ErrNotBlob, b[0], blobFormat)
	case len(b) < minBlobBytes:
		return nil, fmt.Errorf("%w: shorter than the shortest, %d bytes", ErrNotBlob, minBlobBytes)
	case !Algorithm(b[1]).Symmetric():
		return nil, fmt.Errorf("%w: algorithm 0x%02x is unknown", ErrNotBlob, b[1])
	case b[2] != 0:
		return nil, fmt.Errorf("%w: reserved flags 0x%02x are set", ErrNotBlob, b[2])
	}
	ids := blobFixedBytes + int(b[3])
	end := ids + blobIDsBytes
	switch {
	case len(b) < end+Overhead:
		return nil, fmt.Errorf("%w: cut short", ErrNotBlob)
	case !validRegion(b[blobFixedBytes:ids]):
		return nil, fmt.Errorf("%w: no region's name in its header", ErrNotBlob)
	}
	return b[:end:end], nil
}

// PlaintextBytes returns the length of the plaintext inside.
func (b Blob) PlaintextBytes() int { return max(len(b.sealed)-Overhead, 0) }

// BlobBytes returns the length of a blob that holds so many bytes of plaintext, sealed in region.
func BlobBytes(region string, plaintext int) int {
	return blobFixedBytes + len(region) + blobIDsBytes + Overhead + plaintext
}

// SealBlob seals plaintext under x in context c and appends the whole blob to dst. The header's algorithm is the
// cipher's. Errors: [ErrBlobTooLarge], or a header that no blob of this cipher can have. The room behind dst must not overlap plaintext.
func SealBlob(dst []byte, x Cipher, h Header, c Context, plaintext []byte) ([]byte, error) {
	if h.Algorithm != x.Algorithm() {
		return nil, fmt.Errorf("crypto: a header of %v for a blob that %v seals", h.Algorithm, x.Algorithm())
	}
	if !ValidRegion(h.Region) {
		return nil, fmt.Errorf("crypto: %q is no name of a region", h.Region)
	}
	size := BlobBytes(h.Region, len(plaintext))
	if size > MaxBlobBytes {
		return nil, ErrBlobTooLarge
	}
	w := borrowWorkspace()
	defer w.giveBack()
	header := size - Overhead - len(plaintext)
	w.aad = appendBlobDomain(w.aad, header)
	w.aad = append(w.aad, blobFormat, byte(h.Algorithm), 0, byte(len(h.Region)))
	w.aad = append(w.aad, h.Region...)
	w.aad = append(w.aad, h.KeyID[:]...)
	w.aad = append(w.aad, h.VersionID[:]...)
	w.aad = c.appendTo(w.aad)

	// The header goes in last, for the reason that the nonce does: nothing is written over before the module has looked.
	start := len(dst)
	dst = slices.Grow(dst, size)
	dst = x.seal(w, dst[:start+header], plaintext, w.aad)
	copy(dst[start:], w.aad[blobAADPrefixBytes:][:header])
	return dst, nil
}

// Open appends the plaintext to dst. It fails with [ErrOpen] if x is not the key version's, c is another context, or
// the blob was changed. The room behind dst must not overlap the blob.
//
// The caller has looked x up by the header's key and version, and has compared the header's algorithm with the record.
func (b Blob) Open(dst []byte, x Cipher, c Context) ([]byte, error) {
	if b.Algorithm != x.Algorithm() {
		return nil, ErrOpen
	}
	w := borrowWorkspace()
	defer w.giveBack()
	w.aad = appendBlobAAD(w.aad, b.header, c)
	return x.open(w, dst, b.sealed, w.aad)
}

func appendBlobAAD(dst, header []byte, c Context) []byte {
	dst = appendBlobDomain(dst, len(header))
	dst = append(dst, header...)
	return c.appendTo(dst)
}

// appendBlobDomain appends what stands before the header in the AAD, blobAADPrefixBytes long.
func appendBlobDomain(dst []byte, header int) []byte {
	dst = append(dst, blobDomain...)
	return binary.BigEndian.AppendUint32(dst, uint32(header))
}
