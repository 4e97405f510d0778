package api

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
)

// requestIDSize is the length of a UUID as text.
const requestIDSize = 36

// newRequestID returns a random UUID, version 4, in lower case. Request ids name requests in logs and are no secret, so
// they come from the runtime's own ChaCha8 generator, which the system seeds.
func newRequestID() string {
	var id [16]byte
	binary.LittleEndian.PutUint64(id[:8], rand.Uint64())
	binary.LittleEndian.PutUint64(id[8:], rand.Uint64())
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	var text [requestIDSize]byte
	hex.Encode(text[0:8], id[0:4])
	hex.Encode(text[9:13], id[4:6])
	hex.Encode(text[14:18], id[6:8])
	hex.Encode(text[19:23], id[8:10])
	hex.Encode(text[24:], id[10:])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return string(text[:])
}
