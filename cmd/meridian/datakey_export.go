package main

import (
	"context"
	"encoding/base64"
	"encoding/pem"

	"github.com/spf13/cobra"

	"meridian/crypto"
)

// exportFlags say whose public key a data key is exported to.
type exportFlags struct{ to, algorithm string }

func (f *exportFlags) addTo(c *cobra.Command) {
	c.Flags().StringVar(&f.to, "to-public", "", "`FILE` with the public key to export to, PEM or DER, of RSA_2048 or EC_SM2")
	encrypting.addAlgorithmFlag(c, "algorithm", &f.algorithm)
}

// exportSpecs are the kinds of public keys that a data key can be exported to.
var exportSpecs = []string{"RSA_2048", "EC_SM2"}

// addParams reads the public key.
func (f *exportFlags) addParams(params map[string]string) error {
	if f.to == "" {
		return usageError("--to-public FILE is missing")
	}
	der, err := readSmall("--to-public", f.to)
	if err != nil {
		return err
	}
	if block, _ := pem.Decode(der); block != nil {
		if block.Type != "PUBLIC KEY" {
			return usageError("--to-public: %s holds a %s; want the public key alone, as meridian key export-public writes it", f.to, block.Type)
		}
		der = block.Bytes
	}
	for _, spec := range exportSpecs {
		if _, err = crypto.ParsePublicKey(algorithmOf(spec), der); err != nil {
			continue
		}
		scheme, err := chooseName("--algorithm", f.algorithm, encrypting.schemes(algorithmOf(spec)))
		if scheme == "" && err == nil {
			scheme = encrypting.schemes(algorithmOf(spec))[0]
		}
		params["PublicKeyBlob"], params["WrappingKeySpec"], params["WrappingAlgorithm"] = base64.StdEncoding.EncodeToString(der), spec, scheme
		return err
	}
	return usageError("--to-public: %s holds no public key of %s (SubjectPublicKeyInfo, PEM or DER)", f.to, orList(exportSpecs))
}

func newDatakeyExportCommand(v *clientVerb) *cobra.Command {
	var data dataFlags
	var export exportFlags
	var contexts []string
	var raw, dryRun bool
	c := &cobra.Command{
		Use:   "export [CIPHERTEXT]",
		Short: "Encrypt a data key under a public key, without showing it",
		Long: `Opens a ciphertext and encrypts what is in it under a public key: whoever has the
private half can read it, and nobody on the way. For another region that is the
public half of an RSA key there. The region says to which public keys it exports.`,
		Example: `  meridian key export-public alias/transport --regions regions.yaml --region sh-prod --out sh.pem
  meridian datakey export --in key.enc --to-public sh.pem --out key.sh`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	c.RunE = v.run(func(ctx context.Context, s *session, args []string) error {
		params := map[string]string{}
		if err := addContext(params, "EncryptionContext", contexts); err != nil {
			return err
		}
		if err := export.addParams(params); err != nil {
			return err
		}
		blob, err := data.readBlob(s, args)
		if err != nil {
			return err
		}
		params["CiphertextBlob"] = base64.StdEncoding.EncodeToString(blob)
		answer, err := s.crypt(ctx, "ExportDataKey", params, dryRun)
		switch {
		case err != nil:
			return err
		case dryRun:
			return s.wouldCrypt("export the data key")
		case !s.human():
			return data.writeValue(s, answer)
		}
		return writeEncoded(data.out, s, answer.Exported, raw)
	})
	data.addTo(c)
	addContextFlag(c, &contexts)
	export.addTo(c)
	c.Flags().BoolVar(&raw, "raw", false, "write it as bytes, not as Base64")
	addDryRun(c, &dryRun)
	return c
}
