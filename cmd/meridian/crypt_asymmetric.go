package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"meridian/cluster/api/client"
)

// pairFlags say which asymmetric key a crypto verb uses, and how.
type pairFlags struct{ key, algorithm, version string }

func (f *pairFlags) addTo(c *cobra.Command, v *clientVerb, absent string) {
	encrypting.addAlgorithmFlag(c, "algorithm", &f.algorithm)
	addVersionFlag(c, v, &f.version, absent)
}

func (f *pairFlags) addKeyTo(c *cobra.Command, v *clientVerb) {
	c.Flags().StringVar(&f.key, "key", "", "the asymmetric `KEY` that it was encrypted under")
	_ = c.RegisterFlagCompletionFunc("key", v.completeKeyFlag) // the flag is there
}

// given says that the flags speak of an asymmetric key.
func (f *pairFlags) given() bool { return f.algorithm != "" || f.version != "" }

// otherKindOfKey says that a key is not symmetric, as the action wants it.
func otherKindOfKey(err error) bool {
	var refused *client.Error
	return errors.As(err, &refused) && refused.Code == "UnsupportedOperation"
}

// errContext says that only symmetric keys bind a context.
var errContext = usageError("an asymmetric key takes no --context")

// encrypt encrypts what Encrypt was to, under an asymmetric key.
func (f *pairFlags) encrypt(ctx context.Context, s *session, params map[string]string, dryRun bool) (cryptView, error) {
	key, scheme, err := s.pairKey(ctx, params["KeyId"], f.algorithm, encrypting)
	if err != nil {
		return cryptView{}, err
	}
	return f.encryptUnder(ctx, s, key, scheme, params, dryRun)
}

// encryptInstead encrypts what Encrypt refused for its key, unless that is a
// symmetric one after all: then the refusal stands.
func (f *pairFlags) encryptInstead(ctx context.Context, s *session, params map[string]string, dryRun bool, refused error) (cryptView, error) {
	k, err := s.describe(ctx, params["KeyId"])
	if err != nil || algorithmOf(k.Spec) == 0 || algorithmOf(k.Spec).Symmetric() {
		return cryptView{}, refused
	}
	scheme, err := encrypting.defaultFor(k)
	if err != nil {
		return cryptView{}, err
	}
	return f.encryptUnder(ctx, s, k.ID, scheme, params, dryRun)
}

func (f *pairFlags) encryptUnder(ctx context.Context, s *session, key, scheme string, params map[string]string, dryRun bool) (cryptView, error) {
	if params["EncryptionContext"] != "" {
		return cryptView{}, errContext
	}
	version, err := s.version(ctx, key, f.version)
	if err != nil {
		return cryptView{}, err
	}
	params = map[string]string{"KeyId": key, "KeyVersionId": version, "Algorithm": scheme, "Plaintext": params["Plaintext"]}
	return s.crypt(ctx, "AsymmetricEncrypt", params, dryRun)
}

// decrypt decrypts what Decrypt was to, under an asymmetric key.
func (f *pairFlags) decrypt(ctx context.Context, s *session, params map[string]string, dryRun bool) (cryptView, error) {
	if params["EncryptionContext"] != "" {
		return cryptView{}, errContext
	}
	return f.open(ctx, s, func(key, version, scheme string) (cryptView, error) {
		params := map[string]string{"KeyId": key, "KeyVersionId": version, "Algorithm": scheme, "CiphertextBlob": params["CiphertextBlob"]}
		return s.crypt(ctx, "AsymmetricDecrypt", params, dryRun)
	})
}

// open calls with the version that is named, else with one after the other until
// one opens the ciphertext.
func (f *pairFlags) open(ctx context.Context, s *session, call func(key, version, scheme string) (cryptView, error)) (cryptView, error) {
	key, scheme, err := s.pairKey(ctx, f.key, f.algorithm, encrypting)
	if err != nil {
		return cryptView{}, err
	}
	versions, err := s.versionsToTry(ctx, key, f.version)
	if err != nil {
		return cryptView{}, err
	}
	err = &exitError{exitNotFound, errors.New("the key has no version")}
	for _, version := range versions {
		var answer cryptView
		answer, err = call(key, version, scheme)
		var refused *client.Error
		if !errors.As(err, &refused) || !pairRefused(refused) {
			return answer, err
		}
	}
	return cryptView{}, err
}
