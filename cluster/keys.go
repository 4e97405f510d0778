package cluster

import (
	"errors"

	"meridian/crypto"
	"meridian/store"
)

// Cipher returns a version of k, a symmetric key which was read from v, ready to
// use. Errors: ErrSealed, store.ErrVersionNotFound, crypto.ErrNotApproved.
func (n *Node) Cipher(v *store.View, k *store.Key, version crypto.VersionID) (crypto.Cipher, error) {
	ring, err := n.ring()
	if err != nil {
		return nil, err
	}
	return n.ciphers.cipher(ring, v, k.ID, version)
}

// PrivateKey returns a version of k, an asymmetric key which was read from v,
// ready to use. Errors: as of Cipher.
func (n *Node) PrivateKey(v *store.View, k *store.Key, version crypto.VersionID) (*crypto.PrivateKey, error) {
	ring, err := n.ring()
	if err != nil {
		return nil, err
	}
	return n.ciphers.privateKey(ring, v, k.ID, version)
}

// Wrap seals key material under the region's current KEK. Error: ErrSealed.
func (n *Node) Wrap(b crypto.Binding, material []byte) ([]byte, error) {
	ring, err := n.ring()
	if err != nil {
		return nil, err
	}
	wrapped, err := ring.Wrap(b, material)
	return wrapped, sealedIfClosed(err)
}

// Unwrap opens what Wrap sealed for the same place. The caller wipes it. Errors:
// ErrSealed, crypto.ErrUnwrap.
func (n *Node) Unwrap(b crypto.Binding, wrapped []byte) (crypto.Secret, error) {
	ring, err := n.ring()
	if err != nil {
		return nil, err
	}
	secret, err := ring.Unwrap(b, wrapped)
	return secret, sealedIfClosed(err)
}

// SelfCheck proves that material, as Wrap sealed it, does what it is for. No
// version may become the primary one before. Errors: ErrSealed, and those of
// crypto.Keyring.SelfCheck.
func (n *Node) SelfCheck(b crypto.Binding, wrapped []byte) error {
	ring, err := n.ring()
	if err != nil {
		return err
	}
	return sealedIfClosed(ring.SelfCheck(b, wrapped))
}

// Fingerprint returns what SameMaterial recognises material by. Error: ErrSealed.
func (n *Node) Fingerprint(b crypto.Binding, material []byte) ([]byte, error) {
	ring, err := n.ring()
	if err != nil {
		return nil, err
	}
	fingerprint, err := ring.Fingerprint(b, material)
	return fingerprint, sealedIfClosed(err)
}

// SameMaterial says whether a fingerprint is that of the material at the same
// place. Errors: ErrSealed, crypto.ErrFingerprint.
func (n *Node) SameMaterial(b crypto.Binding, fingerprint, material []byte) (bool, error) {
	ring, err := n.ring()
	if err != nil {
		return false, err
	}
	same, err := ring.SameMaterial(b, fingerprint, material)
	return same, sealedIfClosed(err)
}

// ring returns the open keyring, or ErrSealed.
func (n *Node) ring() (*crypto.Keyring, error) {
	if ring := n.keyring.Load(); ring != nil {
		return ring, nil
	}
	return nil, ErrSealed
}

// sealedIfClosed turns the error of a keyring that was closed meanwhile into
// ErrSealed.
func sealedIfClosed(err error) error {
	if errors.Is(err, crypto.ErrKeyringClosed) {
		return ErrSealed
	}
	return err
}
