package clustertest

import (
	"context"
	"fmt"

	"meridian/cluster"
	"meridian/crypto"
	"meridian/store/storepb"
)

// CreateKey makes a key with material on a node.
func CreateKey(ctx context.Context, n *cluster.Node, region string) (crypto.KeyID, error) {
	key, version := crypto.NewKeyID(), crypto.NewVersionID()
	material := crypto.NewMaterial(crypto.AlgorithmXAES256GCM)
	defer material.Wipe()
	wrapped, err := n.Wrap(crypto.MaterialOf(region, key, version, crypto.AlgorithmXAES256GCM), material)
	if err != nil {
		return key, err
	}
	return key, Decide(n.Propose(ctx, &storepb.Command{Body: &storepb.Command_CreateKey{CreateKey: &storepb.CreateKey{
		KeyId: key[:], VersionId: version[:], Algorithm: uint32(crypto.AlgorithmXAES256GCM), Wrapped: wrapped, Creator: Account,
	}}}))
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
