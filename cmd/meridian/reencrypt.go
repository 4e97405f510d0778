package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/spf13/cobra"

	"meridian/crypto"
)

// reencryptFlags are the flags of `meridian reencrypt`.
type reencryptFlags struct {
	data        dataFlags
	contexts    []string
	toContexts  []string
	dropContext bool
	toRegion    string
	raw, dryRun bool
}

func newReencryptCommand() *cobra.Command {
	v := &clientVerb{}
	var f reencryptFlags
	c := &cobra.Command{
		Use:   "reencrypt KEY [CIPHERTEXT]",
		Short: "Encrypt a ciphertext again under another key, or in another region",
		Long: `Encrypts what is in a ciphertext again under KEY. Within a region the plaintext
never leaves the service. The encryption context stays the same, unless
--to-context or --drop-context says otherwise.

With --to-region the ciphertext is decrypted in the region that it is from and
encrypted in the other one, under its key KEY: the plaintext passes through
this process, and never touches a disk. The regions come from --regions FILE,
or are those of the running dev instance.`,
		Example: `  meridian reencrypt alias/new --in old.enc --out new.enc --context app=pay
  meridian reencrypt alias/pay --to-region sh-prod --regions regions.yaml < hz.enc > sh.enc`,
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: v.completeKeys,
	}
	c.RunE = v.run(func(ctx context.Context, s *session, args []string) error {
		if f.dropContext && len(f.toContexts) > 0 {
			return usageError("--to-context and --drop-context exclude each other")
		}
		blob, err := f.data.readBlob(s, args[1:])
		if err != nil {
			return err
		}
		if f.toRegion != "" {
			return f.across(ctx, v, s, args[0], blob)
		}
		return f.within(ctx, s, args[0], blob)
	})
	v.addTo(c)
	f.data.addTo(c)
	addContextFlag(c, &f.contexts)
	addRawFlag(c, &f.raw)
	addDryRun(c, &f.dryRun)
	fl := c.Flags()
	fl.StringArrayVar(&f.toContexts, "to-context", nil, "encryption context of the new ciphertext, `NAME=VALUE` (default: the old one)")
	fl.BoolVar(&f.dropContext, "drop-context", false, "give the new ciphertext no encryption context")
	fl.StringVar(&f.toRegion, "to-region", "", "`ID` of another region to encrypt in")
	return c
}

// newContext is the pairs of the new ciphertext.
func (f *reencryptFlags) newContext() []string {
	switch {
	case f.dropContext:
		return nil
	case len(f.toContexts) > 0:
		return f.toContexts
	}
	return f.contexts
}

// within lets the region do it.
func (f *reencryptFlags) within(ctx context.Context, s *session, ref string, blob []byte) error {
	key, err := s.keyRef(ctx, ref)
	if err != nil {
		return err
	}
	params := map[string]string{"CiphertextBlob": base64.StdEncoding.EncodeToString(blob), "DestinationKeyId": key}
	if err := errors.Join(addContext(params, "SourceEncryptionContext", f.contexts),
		addContext(params, "DestinationEncryptionContext", f.newContext())); err != nil {
		return err
	}
	if f.dryRun {
		return s.dryRunCrypto(ctx, "ReEncrypt", params, "encrypt it again")
	}
	var answer cipherAnswer
	resp, err := s.call(ctx, "ReEncrypt", params, &answer)
	if err != nil {
		return err
	}
	return f.data.writeBlob(s, answer.view(resp), f.raw)
}

// across decrypts in one region and encrypts in the other.
func (f *reencryptFlags) across(ctx context.Context, v *clientVerb, s *session, ref string, blob []byte) error {
	from, to, err := f.regions(v, s, blob)
	if err != nil {
		return err
	}
	defer from.client.Close()
	defer to.client.Close()
	open, seal := map[string]string{"CiphertextBlob": base64.StdEncoding.EncodeToString(blob)}, map[string]string{}
	if err := errors.Join(addContext(open, "EncryptionContext", f.contexts), addContext(seal, "EncryptionContext", f.newContext())); err != nil {
		return err
	}
	if s.explain {
		_, err := from.call(ctx, "Decrypt", open, nil)
		return err
	}
	// The destination first: no plaintext is taken out that cannot be put in.
	if seal["KeyId"], err = to.keyRef(ctx, ref); err != nil {
		return err
	}
	seal["Plaintext"] = "AA=="
	if err := to.probe(ctx, "Encrypt", seal); err != nil {
		return failAfter(err, "destination %s: ", f.toRegion)
	}
	if f.dryRun {
		if err := from.probe(ctx, "Decrypt", open); err != nil {
			return failAfter(err, "source: ")
		}
		return s.value(change{Done: "would encrypt it again in " + f.toRegion}, func(w io.Writer) {
			fmt.Fprintf(w, "would encrypt it again in %s; nothing was done\n", f.toRegion)
		})
	}
	var opened, sealed cipherAnswer
	if _, err := from.call(ctx, "Decrypt", open, &opened); err != nil {
		return failAfter(err, "source: ")
	}
	delete(seal, "DryRun")
	seal["Plaintext"] = opened.Plaintext
	resp, err := to.call(ctx, "Encrypt", seal, &sealed)
	if err != nil {
		return failAfter(err, "destination %s: ", f.toRegion)
	}
	return f.data.writeBlob(s, sealed.view(resp), f.raw)
}

// regions opens sessions with both regions. The source is the region that the
// flags name, else the one that the ciphertext names.
func (f *reencryptFlags) regions(v *clientVerb, s *session, blob []byte) (from, to *session, err error) {
	path := v.flags.regionsFile
	var file *readyFile
	if path != "" {
		file, err = readRegionsFile(path)
	} else if file, err = readDevFile(); errors.Is(err, fs.ErrNotExist) {
		return nil, nil, usageError("--to-region needs --regions FILE that describes both regions, or a dev instance that runs them")
	}
	if err != nil {
		return nil, nil, usageError("regions: %w", err)
	}
	source := *s.target
	b, parseErr := crypto.ParseBlob(blob)
	if v.flags.region == "" && len(v.flags.endpoints) == 0 && parseErr == nil {
		if r, err := pickRegion(file, b.Region, ""); err == nil {
			if err := v.toRegion(&source, r); err != nil {
				return nil, nil, err
			}
		}
	}
	r, err := pickRegion(file, f.toRegion, "the file of regions")
	if err != nil {
		return nil, nil, err
	}
	destination := *s.target
	if err := v.toRegion(&destination, r); err != nil {
		return nil, nil, err
	}
	if from, err = s.with(&source); err != nil {
		return nil, nil, err
	}
	if to, err = s.with(&destination); err != nil {
		from.client.Close()
	}
	return from, to, err
}
