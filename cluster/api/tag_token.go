package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"strings"

	"meridian/crypto"
	"meridian/store"
)

// A token of ListTagResources is the place where the next answer goes on, in Base64 for URLs without padding. The last
// row that was looked at may be of a key that the caller may not see, so the place is sealed under the region's KEK, and
// has one length: every node of the region opens it, and it tells nothing. It is good for the caller and the query that
// it was given for, lest other queries find out how the place compares with keys of theirs.
//
// Sealed is the key id, u16(len) || tag key, and zeros up to the length of the longest tag key.
const (
	tagPlaceHead  = len(crypto.KeyID{}) + 2
	tagPlaceBytes = tagPlaceHead + 4*maxTagKeyChars
	tagTokenBytes = crypto.WrapOverhead + tagPlaceBytes
)

var tagTokenText = base64.RawURLEncoding.Strict()

// tagToken seals a place for this caller and query. Errors: those of Region.Wrap.
func (c *Call) tagToken(at store.TagPosition) (string, error) {
	place, err := appendTagPlace(nil, at)
	if err != nil {
		return "", err
	}
	sealed, err := c.server.cfg.Region.Wrap(c.tagTokenBinding(), place)
	if err != nil {
		return "", err
	}
	return tagTokenText.EncodeToString(sealed), nil
}

// parseTagToken opens what tagToken sealed for this caller and query; empty: the beginning.
func (c *Call) parseTagToken(text string) (at store.TagPosition, err error) {
	if text == "" {
		return at, nil
	}
	refused := errInvalid(paramNextToken, "it is none that an answer to this caller and query gave")
	if len(text) != tagTokenText.EncodedLen(tagTokenBytes) || strings.ContainsAny(text, "\r\n") { // which the decoder would pass over
		return at, refused
	}
	sealed, err := tagTokenText.DecodeString(text)
	if err != nil {
		return at, refused
	}
	place, err := c.server.cfg.Region.Unwrap(c.tagTokenBinding(), sealed)
	switch {
	case errors.Is(err, crypto.ErrUnwrap):
		return at, refused
	case err != nil:
		return at, err
	}
	return parseTagPlace(place)
}

// tagTokenBinding is the place that tokens of this caller and query belong to.
func (c *Call) tagTokenBinding() crypto.Binding {
	query := sha256.New()
	hashText(query, c.Identity.Principal)
	for _, prefix := range []string{"ResourceId.", "Tag."} {
		for _, p := range c.Params.Prefix(prefix) {
			hashText(query, p.Name)
			hashText(query, p.Value)
		}
	}
	return crypto.Binding{Region: c.server.cfg.RegionID, Purpose: crypto.PurposePlace, Name: c.Action.Name + " " + string(query.Sum(nil))}
}

// hashText adds a text with its length, so that no two lists of texts are the same to the hash.
func hashText(h hash.Hash, text string) {
	var length [4]byte
	binary.BigEndian.PutUint32(length[:], uint32(len(text)))
	h.Write(length[:])
	h.Write([]byte(text))
}

// appendTagPlace writes a place, always as long.
func appendTagPlace(dst []byte, at store.TagPosition) ([]byte, error) {
	spare := tagPlaceBytes - tagPlaceHead - len(at.TagKey)
	if spare < 0 {
		return nil, fmt.Errorf("api: a tag key of %d bytes has no place in a token", len(at.TagKey))
	}
	dst = append(dst, at.KeyID[:]...)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(at.TagKey)))
	dst = append(dst, at.TagKey...)
	return append(dst, make([]byte, spare)...), nil
}

// parseTagPlace reads what appendTagPlace wrote. What it is given was sealed by this region: an error is a fault of ours.
func parseTagPlace(b []byte) (at store.TagPosition, err error) {
	if len(b) != tagPlaceBytes {
		return at, fmt.Errorf("api: place of %d bytes in a token", len(b))
	}
	n := int(binary.BigEndian.Uint16(b[len(at.KeyID):]))
	if n == 0 || n > len(b)-tagPlaceHead {
		return at, fmt.Errorf("api: place with a tag key of %d bytes in a token", n)
	}
	return store.TagPosition{KeyID: crypto.KeyID(b[:len(at.KeyID)]), TagKey: string(b[tagPlaceHead : tagPlaceHead+n])}, nil
}
