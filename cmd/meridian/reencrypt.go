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
	pair        pairFlags // the source, where that is an asymmetric key
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

A ciphertext that was made under an asymmetric key, as "meridian datakey export"
does, names no key: --from-key does.

With --to-region the ciphertext is decrypted in the region that it is from and
encrypted in the other one, under its key KEY: the plaintext passes through
this process, and never touches a disk. The regions come from --regions FILE,
or are those of the running dev instance.`,
		Example: `  meridian reencrypt alias/new --in old.enc --out new.enc --context app=pay
  meridian reencrypt alias/pay --from-key alias/transport --in key.sh --out key.enc
  meridian reencrypt alias/pay --to-region sh-prod --regions regions.yaml < hz.enc > sh.enc`,
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: v.completeKeys,
	}
	c.RunE = v.run(func(ctx context.Context, s *session, args []string) error {
		if f.dropContext && len(f.toContexts) > 0 {
			return usageError("--to-context and --drop-context exclude each other")
		}
		if err := f.checkPair(); err != nil {
			return err
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
	fl.StringVar(&f.pair.key, "from-key", "", "the asymmetric `KEY` that it was encrypted under")
	fl.StringVar(&f.pair.version, "from-version", "", "`ID` of the version of that key (default: each, newest first)")
	encrypting.addAlgorithmFlag(c, "from-algorithm", &f.pair.algorithm)
	_ = c.RegisterFlagCompletionFunc("from-key", v.completeKeyFlag) // the flag is there
	return c
}

// checkPair refuses flags about an asymmetric source that do not fit.
func (f *reencryptFlags) checkPair() error {
	switch {
	case f.pair.key == "" && f.pair.given():
		return usageError("--from-version and --from-algorithm need --from-key KEY")
	case f.pair.key != "" && f.toRegion != "":
		return usageError("--from-key is of the region that encrypts again; leave out --to-region, and name the region by --region")
	case f.pair.key != "" && (len(f.contexts) > 0 || f.dropContext):
		return usageError("what an asymmetric key encrypted has no context; --to-context gives the new ciphertext one")
	}
	_, err := chooseName("--from-algorithm", f.pair.algorithm, encrypting.allSchemes())
	return err
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
	var answer cryptView
	if f.pair.key != "" {
		answer, err = f.fromPair(ctx, s, params)
	} else {
		answer, err = s.crypt(ctx, "ReEncrypt", params, f.dryRun)
	}
	switch {
	case err != nil:
		return err
	case f.dryRun:
		return s.wouldCrypt("encrypt it again")
	}
	return f.data.writeBlob(s, answer, f.raw)
}

// fromPair encrypts again what was encrypted under an asymmetric key.
func (f *reencryptFlags) fromPair(ctx context.Context, s *session, params map[string]string) (cryptView, error) {
	return f.pair.open(ctx, s, func(key, version, scheme string) (cryptView, error) {
		params["SourceKeyId"], params["SourceKeyVersionId"], params["SourceEncryptionAlgorithm"] = key, version, scheme
		return s.crypt(ctx, "ReEncrypt", params, f.dryRun)
	})
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
		return explainAcross(ctx, from, to, ref, open, seal)
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
	seal["Plaintext"] = opened.Plaintext
	resp, err := to.call(ctx, "Encrypt", seal, &sealed)
	if err != nil {
		return failAfter(err, "destination %s: ", f.toRegion)
	}
	return f.data.writeBlob(s, sealed.view(resp), f.raw)
}

// explainAcross prints what across sends, without its dry runs.
func explainAcross(ctx context.Context, from, to *session, ref string, open, seal map[string]string) (err error) {
	if _, err := from.send(ctx, "Decrypt", open, nil); err != nil {
		return err
	}
	if seal["KeyId"], err = to.keyRef(ctx, ref); err != nil {
		return err
	}
	seal["Plaintext"] = told("Plaintext", "Decrypt")
	_, err = to.call(ctx, "Encrypt", seal, nil)
	return err
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
