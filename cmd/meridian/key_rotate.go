package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// Bounds of the time between rotations (API page UpdateRotationPolicy).
const (
	minRotation = 7 * 24 * time.Hour
	maxRotation = 730 * 24 * time.Hour
)

// rotationTimes are what completion offers.
var rotationTimes = []string{"30d", "90d", "180d", "365d"}

// checkRotation refuses a time between rotations that the API does not take: a
// number and d, h, m or s.
func checkRotation(flag, text string) error {
	units := map[string]time.Duration{"d": 24 * time.Hour, "h": time.Hour, "m": time.Minute, "s": time.Second}
	if len(text) > 1 {
		unit := units[text[len(text)-1:]]
		n, err := strconv.ParseUint(text[:len(text)-1], 10, 31)
		// The number is checked first: the product of a large one would not fit.
		if err == nil && unit > 0 && n <= uint64(maxRotation/unit) && time.Duration(n)*unit >= minRotation && text[0] != '0' {
			return nil
		}
	}
	return usageError("%s %q: want a number of days, such as 90d, from 7d to 730d", flag, text)
}

// rotateFlags are the flags of `meridian key rotate`.
type rotateFlags struct {
	every       string
	off, dryRun bool
}

func newKeyRotateCommand(v *clientVerb) *cobra.Command {
	var f rotateFlags
	c := &cobra.Command{
		Use:   "rotate KEY",
		Short: "Make a new version of a key, now or regularly",
		Long: `Makes a new version of a key. A symmetric key encrypts under it from then on, and
decrypts what older versions encrypted. Of an asymmetric key the new version is
the one that "meridian sign" takes and whose public key is exported.

With --every or --off no version is made: they set when the region makes them
by itself.`,
		Example: `  meridian key rotate alias/payments
  meridian key rotate alias/payments --every 90d
  meridian key rotate alias/payments --off`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: v.completeKeys,
	}
	c.RunE = v.run(func(ctx context.Context, s *session, args []string) error {
		switch {
		case f.every != "" && f.off:
			return usageError("--every and --off exclude each other")
		case f.every != "":
			if err := checkRotation("--every", f.every); err != nil {
				return err
			}
			return f.setPolicy(ctx, s, args[0])
		case f.off:
			return f.setPolicy(ctx, s, args[0])
		}
		return f.rotate(ctx, s, args[0])
	})
	fl := c.Flags()
	fl.StringVar(&f.every, "every", "", "have the region rotate it after this `TIME`, 7d to 730d")
	fl.BoolVar(&f.off, "off", false, "have the region not rotate it any more")
	completeFlag(c, "every", rotationTimes)
	addDryRun(c, &f.dryRun)
	return c
}

// rotate makes a version.
func (f *rotateFlags) rotate(ctx context.Context, s *session, text string) error {
	ref, err := s.keyRef(ctx, text)
	if err != nil {
		return err
	}
	if f.dryRun && !s.explain {
		k, err := s.rotatable(ctx, ref)
		if err != nil {
			return err
		}
		return s.wouldDo("rotate", "key "+k.ID, "")
	}
	var answer struct {
		KeyVersion struct{ KeyId, KeyVersionId string }
	}
	resp, err := s.call(ctx, "CreateKeyVersion", map[string]string{"KeyId": ref}, &answer)
	if err != nil {
		return err
	}
	made := answer.KeyVersion
	return s.changed(change{Done: "rotated", Key: made.KeyId, Version: made.KeyVersionId, answered: answeredBy(resp)},
		fmt.Sprintf("key %s has the new version %s", made.KeyId, made.KeyVersionId))
}

// setPolicy turns automatic rotation on or off.
func (f *rotateFlags) setPolicy(ctx context.Context, s *session, text string) error {
	id, err := s.keyID(ctx, text)
	if err != nil {
		return err
	}
	params, done := map[string]string{"KeyId": id, "EnableAutomaticRotation": "false"}, "no longer rotated"
	if f.every != "" {
		params["EnableAutomaticRotation"], params["RotationInterval"], done = "true", f.every, "rotated every "+f.every
	}
	if f.dryRun && !s.explain {
		k, err := s.rotatable(ctx, id)
		switch {
		case err != nil:
			return err
		case algorithmOf(k.Spec) != 0 && !algorithmOf(k.Spec).Symmetric():
			return &exitError{exitFailed, fmt.Errorf("key %s is of spec %s, and such keys do not rotate by themselves", k.ID, k.Spec)}
		}
		return s.wouldBe(done, k.ID)
	}
	resp, err := s.call(ctx, "UpdateRotationPolicy", params, nil)
	if err != nil {
		return err
	}
	return s.changed(change{Done: done, Key: id, answered: answeredBy(resp)}, fmt.Sprintf("key %s is %s", id, done))
}

// rotatable describes a key for a dry run, and refuses one that gets no versions.
func (s *session) rotatable(ctx context.Context, ref string) (keyView, error) {
	k, err := s.describe(ctx, ref)
	if err == nil {
		err = refuseStates(k, "rotate", "Disabled", "PendingDeletion", "PendingImport")
	}
	if err == nil && strings.EqualFold(k.Origin, originExternal) {
		err = &exitError{exitFailed, fmt.Errorf("key %s has origin EXTERNAL, and such a key has one version", k.ID)}
	}
	return k, err
}
