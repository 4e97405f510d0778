package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// publicKeyView is the result of `meridian key export-public`.
type publicKeyView struct {
	KeyID     string `json:"key_id"`
	Version   string `json:"key_version_id"`
	PublicKey string `json:"public_key"` // PEM
	SHA256    string `json:"sha256"`     // of its DER, as peers pin it
	answered
}

func newKeyExportPublicCommand(v *clientVerb) *cobra.Command {
	var file dataFlags
	var version string
	c := &cobra.Command{
		Use:   "export-public KEY",
		Short: "Write the public half of a key",
		Long: `Writes the public half of an asymmetric key as PEM (SubjectPublicKeyInfo), for
openssl and whoever encrypts or verifies without the service.`,
		Example: `  meridian key export-public alias/releases --out releases.pem
  meridian key export-public alias/transport --regions regions.yaml --region sh-prod`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: v.completeKeys,
	}
	c.RunE = v.run(func(ctx context.Context, s *session, args []string) error {
		ref, err := s.keyRef(ctx, args[0])
		if err != nil {
			return err
		}
		id, err := s.version(ctx, ref, version)
		if err != nil {
			return err
		}
		p, err := s.publicKey(ctx, ref, id)
		if err != nil {
			return err
		}
		if s.explain {
			return errExplained
		}
		return file.writeResult(s, p, func(w io.Writer) { fmt.Fprint(w, p.PublicKey) })
	})
	file.addOutTo(c)
	addVersionFlag(c, v, &version, "the newest")
	return c
}

// newPublicKeyCommand is key export-public under another name.
func newPublicKeyCommand() *cobra.Command {
	v := &clientVerb{}
	c := newKeyExportPublicCommand(v)
	c.Use, c.Example = "public-key KEY", `  meridian public-key alias/releases --out releases.pem`
	v.addTo(c)
	return c
}

// publicKey asks for the public half of a key version.
func (s *session) publicKey(ctx context.Context, key, version string) (publicKeyView, error) {
	var answer struct{ KeyId, KeyVersionId, PublicKey string }
	resp, err := s.send(ctx, "GetPublicKey", map[string]string{"KeyId": key, "KeyVersionId": version}, &answer)
	p := publicKeyView{KeyID: answer.KeyId, Version: answer.KeyVersionId, PublicKey: answer.PublicKey, answered: answeredBy(resp)}
	if err != nil || s.explain {
		return p, err
	}
	der, err := p.der()
	sum := sha256.Sum256(der)
	p.SHA256 = hex.EncodeToString(sum[:])
	return p, err
}

// der is the SubjectPublicKeyInfo.
func (p publicKeyView) der() ([]byte, error) {
	block, _ := pem.Decode([]byte(p.PublicKey))
	if block == nil {
		return nil, fmt.Errorf("the answer's public key of version %s is no PEM", p.Version)
	}
	return block.Bytes, nil
}
