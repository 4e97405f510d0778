package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"meridian/crypto"
)

// importFlags are the flags of `meridian key import`.
type importFlags struct {
	material       materialFlags
	wrapping       string
	expires        string
	parametersOnly string // folder
	wrapped, token string // files
	dryRun         bool
}

func newKeyImportCommand(v *clientVerb) *cobra.Command {
	var f importFlags
	c := &cobra.Command{
		Use:   "import KEY",
		Short: "Give a key material of your own",
		Long: `Imports material into a key that was made by "meridian key create --origin
external": 32 bytes for Aliyun_AES_256, 16 for Aliyun_SM4. It is encrypted here
under a public key that the region makes for this import, and never printed or
stored. A key takes the same material again, as after delete-material or when it
expired, and no other.

To have an HSM or openssl encrypt it, in three steps:

  meridian key import KEY --parameters-only DIR
  openssl pkeyutl -encrypt -pubin -inkey DIR/public-key.pem -in material -out wrapped \
    -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256
  meridian key import KEY --wrapped wrapped --import-token DIR/import-token

The first one writes the public key and a token, good for one import within 24
hours. --wrapping oaep-sha1 there goes with -pkeyopt rsa_padding_mode:oaep
-pkeyopt rsa_oaep_md:sha1 -pkeyopt rsa_mgf1_md:sha1, and pkcs1 with -pkeyopt
rsa_padding_mode:pkcs1.`,
		Example: `  meridian key import alias/own --in material.bin
  openssl rand -hex 32 | meridian key import alias/own --format hex --expires 365d`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: v.completeKeys,
	}
	c.RunE = v.run(func(ctx context.Context, s *session, args []string) error {
		request, err := f.check(time.Now())
		if err != nil {
			return err
		}
		switch {
		case f.parametersOnly != "":
			return f.writeParameters(ctx, s, args[0], request)
		case f.wrapped != "":
			return f.importWrapped(ctx, s, args[0], request)
		}
		return f.importMaterial(ctx, s, args[0], request)
	})
	f.material.addTo(c)
	fl := c.Flags()
	fl.StringVar(&f.wrapping, "wrapping", "oaep-sha256", "`ALGORITHM` that encrypts it on its way: oaep-sha256, oaep-sha1 or pkcs1")
	fl.StringVar(&f.expires, "expires", "", "have the material expire: `WHEN` is a date (2027-12-31), a time (RFC 3339) or from now (365d, 12h)")
	fl.StringVar(&f.parametersOnly, "parameters-only", "", "import nothing; write public-key.pem and import-token into this `DIR`")
	fl.StringVar(&f.wrapped, "wrapped", "", "import this `FILE`, material that was encrypted elsewhere")
	fl.StringVar(&f.token, "import-token", "", "`FILE` with the token that goes with it")
	completeFlag(c, "wrapping", typedWords(wrappingWords))
	_ = c.MarkFlagDirname("parameters-only") // the flag is there
	addDryRun(c, &f.dryRun)
	return c
}

// importRequest is what the flags of an import come to.
type importRequest struct {
	scheme  crypto.EncryptionScheme
	expires time.Time // zero: never
}

// check refuses flags that do not go together.
func (f *importFlags) check(now time.Time) (r importRequest, err error) {
	scheme, err := choose("--wrapping", f.wrapping, wrappingWords)
	if err != nil {
		return r, err
	}
	r.scheme = crypto.EncryptionScheme(scheme)
	switch {
	case f.parametersOnly != "" && (f.wrapped != "" || f.token != "" || f.material.in != ""):
		return r, usageError("--parameters-only imports nothing; leave out --in, --wrapped and --import-token")
	case f.parametersOnly != "" && f.expires != "":
		return r, usageError("--expires belongs to the import itself, not to --parameters-only")
	case (f.wrapped != "") != (f.token != ""):
		return r, usageError("--wrapped FILE and --import-token FILE go together")
	case f.wrapped != "" && f.material.in != "":
		return r, usageError("--in and --wrapped exclude each other")
	case f.expires == "":
		return r, nil
	}
	r.expires, err = parseExpiry(f.expires, now)
	return r, err
}

// parseExpiry reads a date, which ends in UTC, a time, or a duration from now on.
func parseExpiry(text string, now time.Time) (time.Time, error) {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		if at, err = time.Parse(time.DateOnly, text); err == nil {
			at = at.AddDate(0, 0, 1).Add(-time.Second) // the whole day counts
		}
	}
	if days, ok := strings.CutSuffix(text, "d"); err != nil && ok {
		var n uint64
		if n, err = strconv.ParseUint(days, 10, 16); err == nil {
			at = now.AddDate(0, 0, int(n))
		}
	}
	if err != nil {
		var d time.Duration
		if d, err = time.ParseDuration(text); err == nil {
			at = now.Add(d)
		}
	}
	switch {
	case err != nil:
		return at, usageError("--expires %q: want a date such as 2027-12-31, a time such as 2027-12-31T12:00:00Z, or 365d or 12h from now", text)
	case !at.After(now):
		return at, usageError("--expires %q is not in the future", text)
	}
	return at, nil
}

// importMaterial wraps material here and imports it.
func (f *importFlags) importMaterial(ctx context.Context, s *session, ref string, r importRequest) error {
	k, err := s.importable(ctx, ref)
	if err != nil {
		return err
	}
	if s.explain {
		if _, err := s.importParameters(ctx, k.ID, r.scheme); err != nil {
			return err
		}
		return s.importInto(ctx, k, told("EncryptedKeyMaterial", "the material under PublicKey"), told("ImportToken", "GetParametersForImport"), r)
	}
	material, err := f.material.read(s, k.Spec)
	if err != nil {
		return err
	}
	defer material.Wipe()
	if f.dryRun {
		return s.wouldDo("import material into", "key "+k.ID, "")
	}
	p, err := s.importParameters(ctx, k.ID, r.scheme)
	if err != nil {
		return err
	}
	wrapped, err := p.wrap(material)
	if err != nil {
		return err
	}
	return s.importInto(ctx, k, base64.StdEncoding.EncodeToString(wrapped), p.ImportToken, r)
}

// importWrapped imports material that was wrapped elsewhere.
func (f *importFlags) importWrapped(ctx context.Context, s *session, ref string, r importRequest) error {
	wrapped, err := readWrapped(f.wrapped)
	if err != nil {
		return err
	}
	token, err := readToken(f.token)
	if err != nil {
		return err
	}
	k, err := s.importable(ctx, ref)
	if err != nil {
		return err
	}
	if f.dryRun && !s.explain {
		return s.wouldDo("import material into", "key "+k.ID, "")
	}
	return s.importInto(ctx, k, base64.StdEncoding.EncodeToString(wrapped), token, r)
}

// importable describes a key and refuses one that takes no material.
func (s *session) importable(ctx context.Context, text string) (keyView, error) {
	ref, err := s.keyRef(ctx, text)
	if err != nil {
		return keyView{}, err
	}
	k, err := s.describe(ctx, ref)
	if err != nil || s.explain {
		return k, err
	}
	if k.Origin != originExternal {
		return k, &exitError{exitFailed, fmt.Errorf("key %s makes its own material; material is imported into keys made by meridian key create --origin external", k.ID)}
	}
	return k, refuseStates(k, "import", "PendingDeletion")
}

// importInto sends material that is wrapped, Base64.
func (s *session) importInto(ctx context.Context, k keyView, wrapped, token string, r importRequest) error {
	params := map[string]string{"KeyId": k.ID, "EncryptedKeyMaterial": wrapped, "ImportToken": token}
	result := change{Done: "imported", Key: k.ID}
	if !r.expires.IsZero() {
		params["KeyMaterialExpireUnix"] = strconv.FormatInt(r.expires.Unix(), 10)
		result.Expires = r.expires.UTC().Format("2006-01-02T15:04:05Z")
	}
	resp, err := s.call(ctx, "ImportKeyMaterial", params, nil)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("key %s has its material", k.ID)
	if result.Expires != "" {
		text += ", until " + result.Expires
	}
	result.answered = answeredBy(resp)
	return s.changed(result, text)
}

func newKeyDeleteMaterialCommand(v *clientVerb) *cobra.Command {
	var f confirmFlags
	c := &cobra.Command{
		Use:   "delete-material KEY",
		Short: "Destroy the imported material of a key",
		Long: `The key stays, without material: what is encrypted under it opens again only once
the same material is imported again.

No call can use the material any more. On the disks it stays, wrapped under the
region's keyring and so the root key, in old log entries, snapshots, free pages
of the state file and backups until these are written over.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: v.completeKeys,
	}
	c.RunE = v.run(func(ctx context.Context, s *session, args []string) error {
		return s.takeAway(ctx, &f, args[0], takeAway{
			verb: "delete the material of", action: "DeleteKeyMaterial", done: "without material", state: "PendingImport", typed: "destroy its material",
			lines: []string{"  destroyed", "for every call, on every node, when this command returns",
				"  on disk", "wrapped still, in logs, snapshots, free pages and copies of the data, until written over",
				"  again", "meridian key import, with the same material; without it, all that is encrypted under the key is lost"},
			check: imported,
		})
	})
	f.addTo(c)
	return c
}

// imported refuses a key whose material was not imported.
func imported(k keyView) error {
	if k.Origin != originExternal {
		return &exitError{exitFailed, fmt.Errorf("key %s made its own material, which goes with the key: meridian key delete %s", k.ID, k.ID)}
	}
	return nil
}
