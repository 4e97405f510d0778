package api

import (
	"crypto/sha256"
	"slices"
	"strings"

	"meridian/crypto"
)

// paramPublicKey is the parameter with the public key to export to.
const paramPublicKey = "PublicKeyBlob"

// target is the public key that a data key is exported to.
type target struct {
	public *crypto.PublicKey
	scheme crypto.EncryptionScheme
}

// exportTarget reads the public key of the request and how to encrypt under it. Only who holds the private half can read
// what is exported; so the region says whose keys those may be.
func (c *Call) exportTarget() (*target, error) {
	der, err := c.readBase64(paramPublicKey)
	if err != nil {
		return nil, err
	}
	spec := c.Params.value("WrappingKeySpec")
	algorithm := algorithmOf(spec)
	if algorithm.Available() != nil {
		return nil, errInvalid("WrappingKeySpec", spec+" is not served in FIPS-only mode")
	}
	t := &target{scheme: crypto.EncryptionScheme(c.Params.value("WrappingAlgorithm"))}
	if err := checkScheme("WrappingAlgorithm", string(t.scheme), words(algorithm.EncryptionSchemes()), t.scheme.Available()); err != nil {
		return nil, err
	}
	if t.public, err = crypto.ParsePublicKey(algorithm, der); err != nil {
		return nil, errInvalid(paramPublicKey, strings.TrimPrefix(err.Error(), "crypto: "))
	}
	return t, nil
}

// allowExport refuses a target that belongs to no pinned region, where only those may be exported to.
func (c *Call) allowExport(t *target) error {
	return c.allowExportTo(sha256.Sum256(t.public.DER()))
}

// allowExportTo is allowExport for the hash of a public key.
func (c *Call) allowExportTo(hash [sha256.Size]byte) error {
	peers := c.server.peers.Load()
	if peers.ExportToAny || slices.Contains(peers.Pinned, hash) {
		return nil
	}
	return newError(CodeForbiddenExportNotAllowed)
}

// fits refuses a data key that is too long for the target.
func (t *target) fits(param string, bytes int) error {
	if most := t.public.Algorithm().MaxPlaintext(t.scheme); bytes > most {
		return errInvalid(param, "the public key and algorithm carry data keys of at most "+decimal(int64(most))+" bytes")
	}
	return nil
}
