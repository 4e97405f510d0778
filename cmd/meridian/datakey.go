package main

import (
	"context"
	"encoding/base64"
	"errors"
	"strconv"

	"github.com/spf13/cobra"

	"meridian/crypto"
)

// datakeyFlags are the flags of `meridian datakey`.
type datakeyFlags struct {
	data                            dataFlags
	export                          exportFlags
	contexts                        []string
	spec, plaintextOut, exportedOut string
	size                            int
	plaintext, raw, dryRun          bool
}

func newDatakeyCommand() *cobra.Command {
	v := &clientVerb{}
	var f datakeyFlags
	c := &cobra.Command{
		Use:   "datakey KEY",
		Short: "Make a data key",
		Long: `Makes a random data key under a key and writes it encrypted, as Base64: store
that beside the data, and "meridian decrypt" opens it. The data key itself goes
only where it is asked for: to a file, or into the output.

With --to-public it is also written encrypted under a public key, for whoever
has the private half.`,
		Example: `  meridian datakey alias/payments --out key.enc --plaintext-out key
  meridian datakey alias/payments --plaintext --output json
  meridian datakey alias/payments --out key.enc --to-public sh.pem --exported-out key.sh`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: v.completeKeys,
	}
	c.RunE = v.run(func(ctx context.Context, s *session, args []string) error {
		action, params, err := f.request(s, c.Flags().Changed("spec"))
		if err != nil {
			return err
		}
		if params["KeyId"], err = s.keyRef(ctx, args[0]); err != nil {
			return err
		}
		answer, err := s.crypt(ctx, action, params, f.dryRun)
		switch {
		case err != nil:
			return err
		case f.dryRun:
			return s.wouldCrypt("make a data key")
		}
		return f.write(s, answer)
	})
	v.addTo(c)
	f.addTo(c)
	c.AddCommand(newDatakeyExportCommand(v))
	return c
}

func (f *datakeyFlags) addTo(c *cobra.Command) {
	f.data.addOutTo(c)
	addContextFlag(c, &f.contexts)
	addRawFlag(c, &f.raw)
	addDryRun(c, &f.dryRun)
	f.export.addTo(c)
	fl := c.Flags()
	fl.StringVar(&f.spec, "spec", "AES_256", "`SPEC` of the data key: AES_256 or AES_128")
	fl.IntVar(&f.size, "bytes", 0, "its length in bytes, 1 to 1024, instead of a spec")
	fl.StringVar(&f.plaintextOut, "plaintext-out", "", "write the data key itself to this `FILE`, as bytes")
	fl.StringVar(&f.exportedOut, "exported-out", "", "write the data key under --to-public to this `FILE`")
	fl.BoolVar(&f.plaintext, "plaintext", false, "put the data key itself into the output, as Base64")
	completeFlag(c, "spec", []string{"AES_256", "AES_128"})
}

// request is the action that the flags come to, and its parameters without a key.
func (f *datakeyFlags) request(s *session, specGiven bool) (action string, params map[string]string, err error) {
	params = map[string]string{}
	if err := addContext(params, "EncryptionContext", f.contexts); err != nil {
		return "", nil, err
	}
	if err := f.check(s); err != nil {
		return "", nil, err
	}
	switch {
	case f.size != 0 && specGiven:
		return "", nil, usageError("--spec and --bytes exclude each other")
	case f.size != 0:
		params["NumberOfBytes"] = strconv.Itoa(f.size)
	default:
		params["KeySpec"] = f.spec
	}
	switch {
	case f.export.to != "":
		return "GenerateAndExportDataKey", params, f.export.addParams(params)
	case f.plaintext || f.plaintextOut != "":
		return "GenerateDataKey", params, nil
	}
	return "GenerateDataKeyWithoutPlaintext", params, nil
}

// check refuses outputs that do not go together.
func (f *datakeyFlags) check(s *session) error {
	stdout := f.data.out == "" || f.data.out == "-"
	switch {
	case f.plaintext && s.human():
		return usageError("--plaintext needs --output json, yaml or jsonl; --plaintext-out FILE writes the bytes")
	case f.export.to != "" && (f.plaintext || f.plaintextOut != ""):
		return usageError("--to-public and --plaintext exclude each other: what is exported is not shown")
	case f.export.to == "" && (f.exportedOut != "" || f.export.algorithm != ""):
		return usageError("--exported-out and --algorithm need --to-public FILE")
	case f.export.to != "" && f.exportedOut == "" && s.human():
		return usageError("--to-public needs --exported-out FILE, or --output json, yaml or jsonl")
	case (f.plaintextOut == "-" || f.exportedOut == "-") && stdout:
		return usageError("stdout cannot take both; give --out FILE for the ciphertext")
	case f.plaintextOut == "-" && isTerminal(s.out):
		return usageError("a data key is no text for a terminal; give --plaintext-out FILE or a pipe")
	}
	return nil
}

// write writes the data key in the forms that were asked for.
func (f *datakeyFlags) write(s *session, answer cryptView) error {
	if f.plaintextOut != "" {
		opened, err := base64.StdEncoding.DecodeString(answer.Plaintext)
		if err != nil {
			return errors.New("the answer's plaintext is no Base64")
		}
		defer crypto.Secret(opened).Wipe()
		if err := writeTo(f.plaintextOut, s.out, opened); err != nil {
			return err
		}
	}
	if f.exportedOut != "" {
		if err := writeEncoded(f.exportedOut, s, answer.Exported, f.raw); err != nil {
			return err
		}
	}
	if !f.plaintext {
		answer.Plaintext = ""
	}
	return f.data.writeBlob(s, answer, f.raw)
}
