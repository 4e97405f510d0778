package main

import (
	"context"
	"encoding/json"
	"io"

	"github.com/spf13/cobra"
)

// keyCreateFlags are the flags of `meridian key create`.
type keyCreateFlags struct {
	description, alias, spec, usage, origin, rotation, policy string
	tags                                                      []string
	protect, dryRun                                           bool
}

func newKeyCreateCommand(v *clientVerb) *cobra.Command {
	var f keyCreateFlags
	c := &cobra.Command{
		Use:   "create",
		Short: "Make a key",
		Long: `Makes a key and, unless its material is to be imported, its first version.

A key of origin external has no material until "meridian key import" brings it.
A key that rotates gets a new version each time; older ones still decrypt.`,
		Args: noArgs,
		Example: `  meridian key create --description payments --alias alias/payments
  meridian key create --spec EC_P256 --alias alias/releases --tag team=build --protect
  meridian key create --alias alias/own --origin external`,
	}
	c.RunE = v.run(func(ctx context.Context, s *session, _ []string) error {
		params, err := f.params(s)
		if err != nil {
			return err
		}
		if err := s.aliasFree(ctx, f.alias); err != nil {
			return err
		}
		if f.dryRun && !s.explain {
			return s.wouldDo("create", "a key of spec "+params["KeySpec"], f.alias)
		}
		k, err := f.create(ctx, s, params)
		if err != nil {
			return err
		}
		return s.showKey(k)
	})
	f.addTo(c)
	return c
}

func (f *keyCreateFlags) addTo(c *cobra.Command) {
	fl := c.Flags()
	fl.StringVar(&f.description, "description", "", "`TEXT` that says what the key is for")
	fl.StringVar(&f.alias, "alias", "", "also give it this alias (`alias/NAME`)")
	fl.StringVar(&f.spec, "spec", "Aliyun_AES_256", "`SPEC` of the key: "+orList(keySpecNames()))
	fl.StringVar(&f.usage, "usage", "", "`USAGE`: encrypt or sign (default: encrypt where the spec can, else sign)")
	fl.StringVar(&f.origin, "origin", "kms", "`ORIGIN` of its material: kms makes it, external has it imported")
	fl.StringVar(&f.rotation, "rotate-every", "", "rotate it after this `TIME`, 7d to 730d")
	fl.StringArrayVar(&f.tags, "tag", nil, "tag it, `NAME=VALUE`; may be repeated")
	fl.StringVar(&f.policy, "policy", "", "give it the policy in this `FILE` (JSON; -: stdin)")
	fl.BoolVar(&f.protect, "protect", false, "protect it from being deleted")
	completeFlag(c, "spec", keySpecNames())
	completeFlag(c, "usage", typedWords(usageWords))
	completeFlag(c, "origin", typedWords(originWords))
	completeFlag(c, "rotate-every", rotationTimes)
	addDryRun(c, &f.dryRun)
}

// params are those of CreateKey.
func (f *keyCreateFlags) params(s *session) (map[string]string, error) {
	var err error
	if f.alias != "" {
		if !isAliasRef(f.alias) {
			return nil, usageError("--alias %q: want alias/NAME", f.alias)
		}
		if f.alias, err = aliasName(f.alias); err != nil {
			return nil, err
		}
	}
	params := map[string]string{"Description": f.description}
	if params["KeySpec"], err = chooseName("--spec", f.spec, keySpecNames()); err != nil {
		return nil, err
	}
	usage, err := choose("--usage", f.usage, usageWords)
	if err != nil {
		return nil, err
	}
	origin, err := choose("--origin", f.origin, originWords)
	if err != nil {
		return nil, err
	}
	if usage != "" {
		params["KeyUsage"] = usage
	}
	if origin == originExternal {
		params["Origin"] = origin
	}
	if f.rotation != "" {
		params["EnableAutomaticRotation"], params["RotationInterval"] = "true", f.rotation
	}
	if err := f.checkFit(params); err != nil {
		return nil, err
	}
	if len(f.tags) > 0 {
		if params["Tags"], err = tagsParam(f.tags); err != nil {
			return nil, err
		}
	}
	if f.policy != "" {
		file := dataFlags{in: f.policy}
		if params["Policy"], err = file.readPolicy(s); err != nil {
			return nil, err
		}
	}
	return params, nil
}

// checkFit refuses what no key can be, so that a dry run does too.
func (f *keyCreateFlags) checkFit(params map[string]string) error {
	spec := params["KeySpec"]
	algorithm := algorithmOf(spec)
	encrypts, signs := algorithm.Symmetric() || len(algorithm.EncryptionSchemes()) > 0, len(algorithm.SignatureSchemes()) > 0
	switch {
	case params["KeyUsage"] == usageWords[0].api && !encrypts, params["KeyUsage"] == usageWords[1].api && !signs:
		return usageError("--usage %s: keys of spec %s are not for that", f.usage, spec)
	case params["Origin"] == originExternal && !algorithm.Symmetric():
		return usageError("--origin external: keys of spec %s cannot be imported; those of Aliyun_AES_256 and Aliyun_SM4 can", spec)
	case f.rotation == "":
		return nil
	case params["Origin"] == originExternal:
		return usageError("--rotate-every: a key of origin external is not rotated; import another one")
	case !algorithm.Symmetric():
		return usageError("--rotate-every: keys of spec %s do not rotate by themselves; meridian key rotate makes a version", spec)
	}
	return checkRotation("--rotate-every", f.rotation)
}

// create makes the key, then its alias, then protects it.
func (f *keyCreateFlags) create(ctx context.Context, s *session, params map[string]string) (keyView, error) {
	var answer struct{ KeyMetadata keyMetadata }
	resp, err := s.send(ctx, "CreateKey", params, &answer)
	if err != nil {
		return keyView{}, err
	}
	k := answer.KeyMetadata.view(resp)
	if s.explain {
		k.ID = told("KeyId", "CreateKey")
	}
	if f.alias != "" {
		resp, err := s.send(ctx, "CreateAlias", map[string]string{"AliasName": f.alias, "KeyId": k.ID}, nil)
		if err != nil {
			return k, s.undoCreate(ctx, k.ID, f.alias, err)
		}
		k.Aliases, k.Index = append(k.Aliases, f.alias), resp.Index
	}
	if f.protect {
		resp, err := s.send(ctx, "SetDeletionProtection", map[string]string{"KeyId": k.ID, "EnableDeletionProtection": "true"}, nil)
		if err != nil {
			return k, failAfter(err, "key %s was made; that it is protected is not confirmed (meridian key protect %s): ", k.ID, k.ID)
		}
		k.DeletionProtection, k.Index = "Enabled", resp.Index
	}
	return k, nil
}

// showKey writes all of a key, or its id alone.
func (s *session) showKey(k keyView) error {
	if s.explain {
		return errExplained
	}
	return s.value(k, func(w io.Writer) {
		if s.quiet {
			_, _ = io.WriteString(w, k.ID+"\n") // into memory
			return
		}
		k.write(w)
	})
}

// jsonText is a value as JSON in a parameter.
func jsonText(v any) (string, error) {
	text, err := json.Marshal(v)
	return string(text), err
}
