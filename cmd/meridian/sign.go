package main

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// signatureView is the result of `meridian sign`.
type signatureView struct {
	KeyID     string `json:"key_id"`
	Version   string `json:"key_version_id"`
	Algorithm string `json:"algorithm"`
	Digest    string `json:"digest"`    // hex
	Signature string `json:"signature"` // Base64
	answered
}

func newSignCommand() *cobra.Command {
	v := &clientVerb{}
	var message messageFlags
	var out dataFlags
	var algorithm, version string
	var raw, dryRun bool
	c := &cobra.Command{
		Use:   "sign KEY",
		Short: "Sign a message",
		Long: `Signs a message of any length, from a file or stdin, and writes the signature as
Base64. The message is digested here and does not leave this machine: with
SHA-256, or for SM2DSA with SM3 over Z(A) of the user id 1234567812345678 and the
message. --digest signs a digest that was made elsewhere.

RSA signatures are as long as the modulus, those of elliptic curves ASN.1 DER:
what openssl verifies with the public key of "meridian key export-public", where
--raw wrote them. RSA_PSS_SHA_256, which RSA keys sign by if not told otherwise:

  openssl dgst -sha256 -sigopt rsa_padding_mode:pss -verify pub.pem -signature signature msg`,
		Example: `  meridian sign alias/releases --in app.tar.gz --out app.tar.gz.sig
  meridian sign alias/releases --in msg --raw --out signature
  meridian sign alias/releases --digest-file SHA256 --algorithm RSA_PKCS1_SHA_256 --raw`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: v.completeKeys,
	}
	c.RunE = v.run(func(ctx context.Context, s *session, args []string) error {
		if _, err := message.given(); err != nil {
			return err
		}
		key, scheme, err := s.pairKey(ctx, args[0], algorithm, signing)
		if err != nil {
			return err
		}
		id, err := s.version(ctx, key, version)
		if err != nil {
			return err
		}
		digests, err := message.digests(ctx, s, key, scheme, []string{id})
		if err != nil {
			return err
		}
		params := map[string]string{"KeyId": key, "KeyVersionId": id, "Algorithm": scheme, "Digest": digestParam(digests[0])}
		if dryRun {
			return s.dryRunCrypto(ctx, "AsymmetricSign", params, "sign")
		}
		var answer struct{ KeyId, KeyVersionId, Value string }
		resp, err := s.call(ctx, "AsymmetricSign", params, &answer)
		if err != nil {
			return err
		}
		signature, err := base64.StdEncoding.DecodeString(answer.Value)
		if err != nil {
			return fmt.Errorf("the answer's signature is no Base64: %w", err)
		}
		if s.human() && raw {
			return out.write(s, signature)
		}
		result := signatureView{answer.KeyId, answer.KeyVersionId, scheme, hex.EncodeToString(digests[0]), answer.Value, answeredBy(resp)}
		return out.writeResult(s, result, func(w io.Writer) { fmt.Fprintln(w, answer.Value) })
	})
	v.addTo(c)
	message.addTo(c)
	out.addOutTo(c)
	signing.addAlgorithmFlag(c, "algorithm", &algorithm)
	addVersionFlag(c, v, &version, "the newest")
	c.Flags().BoolVar(&raw, "raw", false, "write the signature as bytes, not as Base64")
	addDryRun(c, &dryRun)
	return c
}
