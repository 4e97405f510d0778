package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"meridian/cluster/migrate"
)

// mover is a way to move data keys.
type mover interface {
	migrate.Way
	Plan(ctx context.Context, rows migrate.Format, each func(migrate.Failure) error) (*migrate.Plan, error)
}

// openedWay is a way between two regions, and what is done with rows besides.
type openedWay struct {
	mover
	name     string // as journals have it
	from, to *migrate.Region
	rules    migrate.Rules
	options  map[string]string // what decides about the output
}

// Close closes both sides.
func (w *openedWay) Close() { w.from.Close(); w.to.Close() }

// wayFlags say how data keys travel, and what is done with rows besides.
type wayFlags struct {
	name           string
	allowPlaintext bool
	contexts       []string
	skip           []string
}

func (f *wayFlags) addTo(c *cobra.Command) {
	fl := c.Flags()
	fl.StringVar(&f.name, "way", "", "`WAY` that data keys travel: native, standard or plaintext (default: native where both regions are Meridian and no --transport-key is given, else standard)")
	fl.BoolVar(&f.allowPlaintext, "allow-plaintext", false, "let data keys be in clear in the memory of this process, one at a time")
	fl.StringArrayVar(&f.contexts, "map-context", nil, "`RULE` NAME=VALUE that sets a name in the encryption context of every new ciphertext, or NAME that removes it")
	fl.StringArrayVar(&f.skip, "skip-key", nil, "`KEY` of the source whose rows stay as they are")
	completeFlag(c, "way", wayNames)
}

// wayNames are the ways that there are.
var wayNames = []string{migrate.WayNative, migrate.WayStandard, migrate.WayPlaintext}

// chosen is the way that the command line asks for; empty: whichever the regions have.
func (f *migrateRun) chosen() string {
	switch {
	case f.ways.name != "":
		return f.ways.name
	case f.ways.allowPlaintext:
		return migrate.WayPlaintext
	case f.transport != "":
		return migrate.WayStandard
	}
	return ""
}

// checkWay refuses a command line that does not fit the way. moves says whether data keys will be moved.
func (f *migrateRun) checkWay(moves bool) error {
	switch way := f.chosen(); {
	case way != "" && !slices.Contains(wayNames, way):
		return usageError("--way %q: want native, standard or plaintext", way)
	case way == migrate.WayPlaintext && !f.ways.allowPlaintext && moves:
		return usageError("--way plaintext brings data keys in clear into the memory of this process: say --allow-plaintext if they may")
	case way != migrate.WayPlaintext && f.ways.allowPlaintext:
		return usageError("--allow-plaintext is for --way plaintext; the %s way never has a data key in clear", way)
	case way != migrate.WayStandard && f.transport != "":
		return usageError("--transport-key is for the standard way, not for --way %s", way)
	case way == migrate.WayStandard:
		return f.checkTransport()
	}
	return nil
}

// open opens both regions and makes the way between them.
func (f *migrateRun) open(ctx context.Context, c *cobra.Command, p *printer) (*openedWay, error) {
	mapping, err := migrate.ParseMapping(f.mapping)
	if err == nil && f.sides.from != "" {
		err = mapping.CheckSource(f.sides.from)
	}
	if err != nil {
		return nil, usageError("--map: %w", err)
	}
	contexts, err := migrate.ParseContextRules(f.ways.contexts)
	if err != nil {
		return nil, usageError("--map-context: %w", err)
	}
	f.columns.NewContexts = len(contexts) > 0
	from, to, err := f.sides.open(c)
	if err != nil {
		return nil, err
	}
	tell := tellOf(p)
	from.Silent, to.Silent = tell, tell
	w := &openedWay{name: f.chosen(), from: from, to: to, options: map[string]string{"mapping": strings.Join(f.mapping, "; ")}}
	starting, started := context.WithTimeout(ctx, cmp.Or(f.sides.patience, migrate.StartPatience))
	defer started()
	err = f.identify(starting, w)
	if err == nil {
		err = f.connect(starting, w, mapping)
	}
	if err != nil {
		w.Close()
		return nil, err
	}
	skip, err := from.KeyIDs(starting, f.ways.skip)
	if err != nil {
		w.Close()
		return nil, failAfter(f.sides.callError(err), "--skip-key: ")
	}
	w.rules = migrate.Rules{Region: from.ID, Skip: skip, Contexts: contexts}
	if len(contexts) > 0 {
		w.options["contexts"] = hiddenValues(f.ways.contexts)
	}
	if len(f.ways.skip) > 0 {
		w.options["skipped keys"] = strings.Join(f.ways.skip, "; ")
	}
	return w, nil
}

// hiddenValues are NAME=VALUE texts, or names alone, as a journal has them: of values it says whether they are the same,
// for an encryption context may tell what is nobody else's business.
func hiddenValues(texts []string) string {
	hidden := make([]string, len(texts))
	for i, text := range texts {
		name, _, has := strings.Cut(text, "=")
		if hidden[i] = name; has {
			sum := sha256.Sum256([]byte(text))
			hidden[i] += "=sha256:" + hex.EncodeToString(sum[:8])
		}
	}
	slices.Sort(hidden) // their order means nothing
	return strings.Join(hidden, "; ")
}

// identify finds out which sides are Meridian, and that none is another region than it is taken for.
func (f *migrateRun) identify(ctx context.Context, w *openedWay) error {
	for _, r := range []*migrate.Region{w.from, w.to} {
		switch err := r.Identify(ctx); {
		case errors.Is(err, migrate.ErrAnotherRegion):
			return usageError("%w", err)
		case err != nil:
			return f.sides.callError(err)
		}
	}
	return nil
}

// connect makes the way itself.
func (f *migrateRun) connect(ctx context.Context, w *openedWay, mapping migrate.Mapping) error {
	if w.name == migrate.WayPlaintext {
		w.mover = migrate.NewPlaintext(w.from, w.to, mapping)
		return nil
	}
	if w.name != migrate.WayStandard {
		return f.connectNative(ctx, w, mapping)
	}
	transport, err := migrate.FindTransport(ctx, w.to, f.transport)
	if errors.Is(err, migrate.ErrNoTransportKey) {
		return usageError("--transport-key: %w", err)
	}
	if err != nil {
		return failAfter(f.sides.callError(err), "transport key: ")
	}
	w.mover = migrate.NewStandard(w.from, w.to, transport, mapping)
	w.options["transport key"] = transport.Key
	return nil
}

// connectNative makes the native way. Where it was not asked for and cannot be, the standard way has to be, and needs more.
func (f *migrateRun) connectNative(ctx context.Context, w *openedWay, mapping migrate.Mapping) error {
	native, err := migrate.NewNative(ctx, w.from, w.to, mapping)
	switch {
	case errors.Is(err, migrate.ErrNotMeridian) && w.name == "":
		return usageError("%w; the standard way needs --transport-key KEY, an RSA_2048 key of %s", err, w.to.ID)
	case err != nil:
		return failAfter(f.sides.callError(err), "transport key: ")
	}
	w.mover, w.name = native, migrate.WayNative
	return nil
}

// warnOfPlaintext says once what somebody has allowed.
func (f *migrateRun) warnOfPlaintext(p *printer) {
	if f.chosen() == migrate.WayPlaintext {
		fmt.Fprintln(p.err, "warning: data keys are in clear in the memory of this process while they are moved; the journal and the report say so")
	}
}
