package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// verifyView is the result of `meridian verify`.
type verifyView struct {
	Valid     bool   `json:"valid"`
	KeyID     string `json:"key_id"`
	Version   string `json:"key_version_id,omitempty"` // that made the signature
	Algorithm string `json:"algorithm"`
	Tried     int    `json:"versions_tried"`
	answered
}

func newVerifyCommand() *cobra.Command {
	v := &clientVerb{}
	var message messageFlags
	var signature, algorithm, version string
	c := &cobra.Command{
		Use:   "verify KEY",
		Short: "Check the signature of a message",
		Long: `Checks a signature, Base64 or as bytes, of a message or digest that is given as to
"meridian sign". Without --version each version of the key is tried, newest
first, and the result says which one it was.

The exit code is 0 if the signature is right and 6 if it is not.`,
		Example: `  meridian verify alias/releases --in app.tar.gz --signature-file app.tar.gz.sig`,
		Args:    cobra.ExactArgs(1), ValidArgsFunction: v.completeKeys,
	}
	c.PreRunE = func(*cobra.Command, []string) error {
		if _, ok := v.flags.scheme(); !ok {
			return usageError("--signature %q: it says how requests are signed; the signature to check is --signature-file %s", v.flags.signature, v.flags.signature)
		}
		return nil
	}
	c.RunE = v.run(func(ctx context.Context, s *session, args []string) error {
		value, err := readSignature(s, signature, message.fromStdin())
		if err != nil {
			return err
		}
		if _, err := message.given(); err != nil {
			return err
		}
		key, scheme, err := s.pairKey(ctx, args[0], algorithm, signing)
		if err != nil {
			return err
		}
		versions, err := s.versionsToTry(ctx, key, version)
		if err != nil {
			return err
		}
		digests, err := message.digests(ctx, s, key, scheme, versions)
		if err != nil {
			return err
		}
		return s.verify(ctx, verification{key, scheme, base64.StdEncoding.EncodeToString(value), versions, digests})
	})
	v.addTo(c)
	message.addTo(c)
	c.Flags().StringVar(&signature, "signature-file", "", "`FILE` with the signature (-: stdin)")
	signing.addAlgorithmFlag(c, "algorithm", &algorithm)
	addVersionFlag(c, v, &version, "each, newest first")
	return c
}

// readSignature reads a signature, Base64 or bytes.
func readSignature(s *session, path string, stdinTaken bool) ([]byte, error) {
	if path == "" {
		return nil, usageError("--signature-file FILE is missing")
	}
	if path != "-" {
		data, err := readSmall("--signature-file", path)
		if err != nil {
			return nil, err
		}
		return signatureOf(data)
	}
	if stdinTaken {
		return nil, usageError("--signature-file - and the message cannot both come from stdin")
	}
	data, err := io.ReadAll(io.LimitReader(s.in, maxSmallFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > maxSmallFile:
		return nil, usageError("--signature-file -: stdin is longer than %d bytes", maxSmallFile)
	}
	return signatureOf(data)
}

// signatureOf is the signature in data: what its Base64 stands for, or the bytes.
func signatureOf(data []byte) ([]byte, error) {
	text := strings.Join(strings.Fields(string(data)), "")
	signature, err := base64.StdEncoding.Strict().DecodeString(text)
	switch {
	case err == nil && len(signature) > 0:
		return signature, nil
	case len(text) == 0:
		return nil, usageError("--signature-file: it is empty")
	case isText(data):
		return nil, usageError("--signature-file: it is no Base64: %s", notBase64(text))
	}
	return data, nil
}

// verification is what is asked of the region, for each version its digest.
type verification struct {
	key, scheme, signature string
	versions               []string
	digests                [][]byte
}

// verify asks for each version until one made the signature.
func (s *session) verify(ctx context.Context, v verification) error {
	result := verifyView{KeyID: v.key, Algorithm: v.scheme}
	for i, version := range v.versions {
		var answer struct {
			KeyId string
			Value bool
		}
		resp, err := s.send(ctx, "AsymmetricVerify", map[string]string{
			"KeyId": v.key, "KeyVersionId": version, "Algorithm": v.scheme, "Digest": digestParam(v.digests[i]), "Value": v.signature,
		}, &answer)
		if err != nil {
			return err
		}
		result.Tried, result.answered = result.Tried+1, answeredBy(resp)
		if answer.KeyId != "" {
			result.KeyID = answer.KeyId
		}
		if answer.Value {
			result.Valid, result.Version = true, version
			break
		}
	}
	if s.explain {
		return errExplained
	}
	if err := s.value(result, func(w io.Writer) {
		if result.Valid && s.quiet {
			fmt.Fprintln(w, result.Version)
		} else if result.Valid {
			fmt.Fprintf(w, "the signature is right: %s by key %s, version %s\n", result.Algorithm, result.KeyID, result.Version)
		}
	}); err != nil || result.Valid {
		return err
	}
	return &exitError{exitVerification, fmt.Errorf("the signature is wrong: key %s did not sign this by %s, with %s", result.KeyID, result.Algorithm, triedText(v.versions))}
}

func triedText(versions []string) string {
	if len(versions) == 1 {
		return "version " + versions[0]
	}
	return fmt.Sprintf("any of its %d versions", len(versions))
}
