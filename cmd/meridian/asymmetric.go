package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"meridian/crypto"
)

// pairUse is one of the two things that asymmetric keys do.
type pairUse struct {
	usage   string                            // of the API
	does    string                            // in a sentence about a key
	schemes func(a crypto.Algorithm) []string // of a spec; the first is the default
}

var (
	signing = pairUse{"SIGN/VERIFY", "sign", func(a crypto.Algorithm) (all []string) {
		for _, s := range a.SignatureSchemes() {
			all = append(all, string(s))
		}
		return all
	}}
	encrypting = pairUse{"ENCRYPT/DECRYPT", "encrypt", func(a crypto.Algorithm) (all []string) {
		for _, s := range a.EncryptionSchemes() {
			all = append(all, string(s))
		}
		return all
	}}
)

// allSchemes are the algorithms of all specs, in the order of the API's documents.
func (u pairUse) allSchemes() (all []string) {
	for _, spec := range keySpecs {
		for _, scheme := range u.schemes(spec.algorithm) {
			if !slices.Contains(all, scheme) {
				all = append(all, scheme)
			}
		}
	}
	return all
}

// addAlgorithmFlag declares --algorithm, or a flag of another name.
func (u pairUse) addAlgorithmFlag(c *cobra.Command, name string, to *string) {
	c.Flags().StringVar(to, name, "", "`ALGORITHM`: "+orList(u.allSchemes())+" (default: the first one that the key has)")
	completeFlag(c, name, u.allSchemes())
}

// pairKey finds an asymmetric key and its algorithm: the one that was named, else
// the first one of its spec.
func (s *session) pairKey(ctx context.Context, text, algorithm string, use pairUse) (key, scheme string, err error) {
	if scheme, err = chooseName("--algorithm", algorithm, use.allSchemes()); err != nil {
		return "", "", err
	}
	if key, err = s.keyRef(ctx, text); err != nil || scheme != "" {
		return key, scheme, err
	}
	k, err := s.describe(ctx, key)
	if err != nil {
		return "", "", err
	}
	if s.explain {
		return k.ID, told("Algorithm", "the key's KeySpec"), nil
	}
	scheme, err = use.defaultFor(k)
	return k.ID, scheme, err
}

// defaultFor is the algorithm of a key if none is named; a key that cannot do what
// is wanted is refused.
func (u pairUse) defaultFor(k keyView) (string, error) {
	schemes := u.schemes(algorithmOf(k.Spec))
	if len(schemes) > 0 && k.Usage == u.usage {
		return schemes[0], nil
	}
	what := "symmetric"
	if !algorithmOf(k.Spec).Symmetric() {
		what = "for " + strings.ToLower(k.Usage)
	}
	return "", &exitError{exitFailed, fmt.Errorf("key %s (%s) is %s and cannot %s; one that can: meridian key create --spec RSA_2048 --usage %s",
		k.ID, k.Spec, what, u.does, u.does)}
}
