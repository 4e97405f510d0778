package clustertest

import (
	"context"
	"fmt"
	"time"

	"meridian/cluster"
	"meridian/crypto"
	"meridian/store/storepb"
)

// CreateKey makes a key with material on a node.
func CreateKey(ctx context.Context, n *cluster.Node, region string) (crypto.KeyID, error) {
	return CreateKeyWith(ctx, n, region, &storepb.CreateKey{Algorithm: uint32(crypto.AlgorithmXAES256GCM)})
}

// CreateKeyWith makes a key with material of c's algorithm, and fills in the rest
// of what every key has.
func CreateKeyWith(ctx context.Context, n *cluster.Node, region string, c *storepb.CreateKey) (crypto.KeyID, error) {
	key, version := crypto.NewKeyID(), crypto.NewVersionID()
	wrapped, err := NewVersion(n, crypto.MaterialOf(region, key, version, crypto.Algorithm(c.Algorithm)))
	if err != nil {
		return key, err
	}
	c.KeyId, c.VersionId, c.Wrapped, c.Creator = key[:], version[:], wrapped, Account
	return key, Decide(n.Propose(ctx, &storepb.Command{Body: &storepb.Command_CreateKey{CreateKey: c}}))
}

// NewVersion makes material and has a node wrap it for its place.
func NewVersion(n *cluster.Node, place crypto.Binding) ([]byte, error) {
	material := crypto.NewMaterial(place.Algorithm)
	if !place.Algorithm.Symmetric() {
		pair, err := crypto.GenerateKey(place.Algorithm)
		if err != nil {
			return nil, err
		}
		if material, err = pair.Marshal(); err != nil {
			return nil, err
		}
	}
	defer material.Wipe()
	return n.Wrap(place, material)
}

// ImportKey makes a key and imports material into it; a zero time means that it
// never expires. What the caller of the API does with the public key of the token
// is left out: the state does not look at it.
func ImportKey(ctx context.Context, n *cluster.Node, region string, expires time.Time) (crypto.KeyID, error) {
	key, version, token := crypto.NewKeyID(), crypto.NewVersionID(), crypto.NewVersionID()
	place := crypto.MaterialOf(region, key, version, crypto.AlgorithmXAES256GCM)
	material := crypto.NewMaterial(place.Algorithm)
	defer material.Wipe()
	wrapped, err := n.Wrap(place, material)
	if err != nil {
		return key, err
	}
	fingerprint, err := n.Fingerprint(place, material)
	if err != nil {
		return key, err
	}
	var expiresMs int64
	if !expires.IsZero() {
		expiresMs = expires.UnixMilli()
	}
	for _, c := range []*storepb.Command{
		{Body: &storepb.Command_CreateKey{CreateKey: &storepb.CreateKey{KeyId: key[:], Origin: "EXTERNAL", Creator: Account}}},
		{Body: &storepb.Command_CreateImportToken{CreateImportToken: &storepb.CreateImportToken{
			KeyId: key[:], TokenHash: token[:], Wrapped: wrapped, Scheme: string(crypto.RSAESOAEPSHA256), TtlMs: time.Hour.Milliseconds(),
		}}},
		{Body: &storepb.Command_ImportKeyMaterial{ImportKeyMaterial: &storepb.ImportKeyMaterial{
			KeyId: key[:], TokenHash: token[:], VersionId: version[:], Algorithm: uint32(place.Algorithm), Wrapped: wrapped,
			Fingerprint: fingerprint, ExpiresMs: expiresMs,
		}}},
	} {
		if err := Decide(n.Propose(ctx, c)); err != nil {
			return key, fmt.Errorf("%T: %w", c.Body, err)
		}
	}
	return key, nil
}

// AddVersion returns the command that adds a version with this material to a
// symmetric key.
func AddVersion(place crypto.Binding, wrapped []byte, primary crypto.VersionID) *storepb.Command {
	return &storepb.Command{Body: &storepb.Command_AddKeyVersion{AddKeyVersion: &storepb.AddKeyVersion{
		KeyId: place.KeyID[:], VersionId: place.VersionID[:], Algorithm: uint32(place.Algorithm), Wrapped: wrapped, ExpectedPrimary: primary[:],
	}}}
}

// DeleteMaterial returns the command that deletes a key's imported material.
func DeleteMaterial(key crypto.KeyID) *storepb.Command {
	return &storepb.Command{Body: &storepb.Command_DeleteKeyMaterial{DeleteKeyMaterial: &storepb.DeleteKeyMaterial{KeyId: key[:]}}}
}

// Protect returns the command that turns a key's protection against deletion on or off.
func Protect(key crypto.KeyID, on bool) *storepb.Command {
	return &storepb.Command{Body: &storepb.Command_SetDeletionProtection{SetDeletionProtection: &storepb.SetDeletionProtection{KeyId: key[:], Enabled: on}}}
}

// Disable returns the command that disables a key.
func Disable(key crypto.KeyID) *storepb.Command {
	return &storepb.Command{Body: &storepb.Command_DisableKey{DisableKey: &storepb.DisableKey{KeyId: key[:]}}}
}

// Enable returns the command that enables a key.
func Enable(key crypto.KeyID) *storepb.Command {
	return &storepb.Command{Body: &storepb.Command_EnableKey{EnableKey: &storepb.EnableKey{KeyId: key[:]}}}
}

// Describe returns the command that sets a key's description.
func Describe(key crypto.KeyID, text string) *storepb.Command {
	return &storepb.Command{Body: &storepb.Command_UpdateKeyDescription{UpdateKeyDescription: &storepb.UpdateKeyDescription{KeyId: key[:], Description: text}}}
}

// Decide turns a result that is not OK into an error.
func Decide(result *storepb.Result, err error) error {
	if err != nil {
		return err
	}
	if result.Code != storepb.Code_OK {
		return fmt.Errorf("result %s %s", result.Code, result.What)
	}
	return nil
}
