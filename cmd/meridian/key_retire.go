package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"meridian/cluster/migrate"
)

// retirement says that nothing known needs a version of a key any more.
type retirement struct {
	Key         string   `json:"key_id"`
	Version     string   `json:"key_version_id"`
	Number      int      `json:"version"` // 1 is the oldest
	Created     string   `json:"created"`
	Census      []string `json:"census"` // files and folders that were read
	Rows        int64    `json:"rows"`   // in them
	Unreadable  int64    `json:"unreadable"`
	Ciphertexts int64    `json:"ciphertexts"` // of them that the version seals: none
	At          string   `json:"checked"`
	// Destroyed says that the key, of which this is the only version, waits to be deleted. A region destroys no single
	// version of a key.
	Destroyed bool   `json:"key_deleted"`
	DeleteAt  string `json:"delete_at,omitempty"`
	Reason    string `json:"reason,omitempty"`
	DryRun    bool   `json:"dry_run,omitempty"`
	answered
	places bool     // one of them is a folder or a table
	empty  []string // of them, without a row
}

// retireFlags are the flags of `meridian key retire`.
type retireFlags struct {
	confirmFlags
	rows       rowFlags
	folder     folderFlags
	table      tableFlags
	version    string
	census     []string
	unreadable bool
	days       int
}

func newKeyRetireCommand(v *clientVerb) *cobra.Command {
	f := &retireFlags{rows: rowFlags{columns: migrate.DefaultColumns}, days: defaultDeletionDays}
	c := &cobra.Command{
		Use:   "retire KEY --version VERSION --census FILE...",
		Short: "Check that nothing needs a version of a key any more",
		Long: `Counts, offline, the ciphertexts of the files that VERSION of KEY seals, and refuses (exit
code 6) while there is any. VERSION is an id, or a number: 1 is the oldest. The version
that seals new data keys cannot be retired: rotate the key first.

A region cannot destroy one version of a key and keep the others. So where the key has
others, this prints the retirement statement and changes nothing: the region could still
open what the files did not show. Where it is the only one, the key itself is deleted
after some days, once you confirm it; "meridian key undelete" takes that back until then.

It knows no more than that: give it every place in which ciphertexts are kept. --dir and
--glob name a folder of files that hold one ciphertext each, and --db a table.`,
		Example: `  meridian key retire alias/payments --version 2 --census keys.jsonl archive.csv.gz
  meridian key retire alias/old --version 1 --census keys.jsonl --pending-days 30`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: v.completeKeys,
	}
	c.RunE = v.run(func(ctx context.Context, s *session, args []string) error {
		f.census = append(f.census, args[1:]...) // the shell spells *.jsonl out
		return s.retire(ctx, c, f, args[0])
	})
	f.confirmFlags.addTo(c)
	f.rows.addTo(c)
	f.folder.addDirTo(c)
	f.table.addTo(c)
	fl := c.Flags()
	fl.StringVar(&f.version, "version", "", "`VERSION` to retire: its id, or its number from the oldest, 1")
	fl.StringArrayVar(&f.census, "census", nil, "`FILE` of rows with ciphertexts, as for key census; more may follow")
	fl.BoolVar(&f.unreadable, "allow-unreadable", false, "do not refuse for rows that hold no ciphertext of Meridian")
	fl.IntVar(&f.days, "pending-days", f.days, "days after which the key is destroyed, where this is its only version; 7 to 366")
	return c
}

// retire checks a version against the census, and says or does what can be done.
func (s *session) retire(ctx context.Context, c *cobra.Command, f *retireFlags, ref string) error {
	switch {
	case f.version == "":
		return usageError("--version says which version to retire: its id, or its number from the oldest, 1")
	case len(f.census) == 0 && !f.folder.given() && !f.table.given():
		return usageError("--census FILE names the files in which ciphertexts are kept, --dir a folder of them, and --db a table")
	case f.days < minDeletionDays || f.days > maxDeletionDays:
		return usageError("--pending-days is %d; take %d to %d", f.days, minDeletionDays, maxDeletionDays)
	case f.yes && f.reason == "":
		return usageError("--yes needs --reason TEXT")
	}
	if err := errors.Join(f.rows.check(), f.checkFolder(c), f.table.check(c)); err != nil {
		return err
	}
	ref, err := s.keyRef(ctx, ref)
	if err != nil {
		return err
	}
	k, err := s.describe(ctx, ref)
	if err != nil {
		return err
	}
	versions, err := s.versions(ctx, k.ID)
	if err != nil {
		return err
	}
	if s.explain {
		return s.deleteRetired(ctx, f, ref, k, &retirement{})
	}
	r, err := f.find(k, versions)
	if err != nil {
		return err
	}
	if err := f.count(c, r); err != nil {
		return err
	}
	r.answered = k.answered
	r.DryRun = f.dryRun
	if len(versions) > 1 {
		return s.value(r, r.statement)
	}
	return s.deleteRetired(ctx, f, ref, k, r)
}

// find finds the version, and refuses one that is needed whatever the census says.
func (f *retireFlags) find(k keyView, versions []keyVersionView) (*retirement, error) {
	if a := algorithmOf(k.Spec); a == 0 || !a.Symmetric() {
		return nil, &exitError{exitFailed, fmt.Errorf("key %s is of spec %s: what is encrypted under its pairs does not name them, so no census can count it", k.ID, k.Spec)}
	}
	for i, v := range versions {
		number := len(versions) - i
		if strings.ToLower(f.version) != v.ID && f.version != strconv.Itoa(number) {
			continue
		}
		if len(versions) > 1 && v.ID == k.PrimaryVersion {
			return nil, &exitError{exitFailed, fmt.Errorf("version %d of key %s seals what is encrypted now; rotate the key first: meridian key rotate %s", number, k.ID, k.ID)}
		}
		return &retirement{Key: k.ID, Version: v.ID, Number: number, Created: v.Created, Census: f.census, At: time.Now().UTC().Format(time.RFC3339)}, nil
	}
	return nil, &exitError{exitNotFound, fmt.Errorf("key %s has no version %s; it has %d: meridian key versions %s", k.ID, f.version, len(versions), k.ID)}
}

// checkFolder refuses a folder that is not there.
func (f *retireFlags) checkFolder(c *cobra.Command) error {
	if !f.folder.given() {
		return withoutDir(c)
	}
	return f.folder.checkDir()
}

// count reads the files and the folder, and refuses while they still name the version.
func (f *retireFlags) count(c *cobra.Command, r *retirement) error {
	var found []string
	for _, path := range f.census {
		var census migrate.Census
		if err := f.rows.count(c, &census, path); err != nil {
			return err
		}
		found = append(found, r.add(&census, path)...)
	}
	if f.folder.given() {
		var census migrate.Census
		if err := f.folder.count(c, &census); err != nil {
			return err
		}
		place := fmt.Sprintf("%s (%s)", f.folder.dir, f.folder.glob)
		r.Census, r.places = append(r.Census, place), true
		found = append(found, r.add(&census, place)...)
	}
	if f.table.given() {
		var census migrate.Census
		if err := f.table.count(c, &census); err != nil {
			return err
		}
		place := "table " + f.table.spec.Table
		r.Census, r.places = append(r.Census, place), true
		found = append(found, r.add(&census, place)...)
	}
	switch {
	case r.Ciphertexts > 0:
		return &exitError{exitVerification, fmt.Errorf("version %d of key %s still seals %s of %s rows (%s); seal them again under another first (meridian migrate, meridian reencrypt)",
			r.Number, r.Key, grouped(uint64(r.Ciphertexts)), grouped(uint64(r.Rows)), strings.Join(found, ", "))}
	case len(r.empty) > 0: // a pattern that fits no file looks like this
		return &exitError{exitVerification, fmt.Errorf("%s: no rows are in it, so it does not tell whether version %d of key %s is needed; leave it out if that is right, and name a place that has ciphertexts",
			strings.Join(r.empty, ", "), r.Number, r.Key)}
	case r.Unreadable > 0 && !f.unreadable:
		return &exitError{exitVerification, fmt.Errorf("%s of %s rows hold no ciphertext that can be read, so nobody knows whether they need version %d of key %s; --allow-unreadable if they are no ciphertexts",
			grouped(uint64(r.Unreadable)), grouped(uint64(r.Rows)), r.Number, r.Key)}
	}
	return nil
}

// add takes what one place holds, and says what of that the version seals.
func (r *retirement) add(census *migrate.Census, place string) (found []string) {
	r.Rows += census.Rows
	r.Unreadable += census.NotBlobs
	if census.Rows == 0 {
		r.empty = append(r.empty, place)
	}
	for _, n := range census.Counts {
		if n.Key == r.Key && n.Version == r.Version {
			r.Ciphertexts += n.Blobs
			found = append(found, fmt.Sprintf("%s in %s", grouped(uint64(n.Blobs)), place))
		}
	}
	return found
}

// deleteRetired has the key deleted of which the version is the only one.
func (s *session) deleteRetired(ctx context.Context, f *retireFlags, ref string, k keyView, r *retirement) (err error) {
	if !s.explain {
		if err := errors.Join(refuseStates(k, "retiring its only version", "PendingDeletion"), unprotected(k), f.check(s)); err != nil {
			return err
		}
	}
	if k.Aliases, err = s.aliasesOf(ctx, k.ID); err != nil {
		return err
	}
	at := time.Now().UTC().AddDate(0, 0, f.days).Format("2006-01-02T15:04:05Z")
	if f.preview(s) {
		k.preview(s.err, ref, "  version", fmt.Sprintf("%d is its only one: retiring it deletes the key", r.Number),
			"  census", r.read(), "  destroyed", day(at)+"; until then: meridian key undelete")
	}
	if f.dryRun && !s.explain {
		return s.value(r, r.statement)
	}
	if err := f.confirm(s, ref, "delete it"); err != nil {
		return err
	}
	if err := s.stillOnlyVersion(ctx, k.ID, r); err != nil {
		return err
	}
	resp, err := s.call(ctx, "ScheduleKeyDeletion", f.params(map[string]string{"KeyId": k.ID, "PendingWindowInDays": strconv.Itoa(f.days)}), nil)
	if err != nil {
		return err
	}
	r.Destroyed, r.DeleteAt, r.Reason, r.answered = true, at, f.reason, answeredBy(resp)
	return s.value(r, r.statement)
}

// stillOnlyVersion refuses a key that has got another version since the census began: nobody has looked for that one.
func (s *session) stillOnlyVersion(ctx context.Context, key string, r *retirement) error {
	if s.explain {
		return nil
	}
	versions, err := s.versions(ctx, key)
	if err == nil && (len(versions) != 1 || versions[0].ID != r.Version) {
		err = &exitError{exitVerification, fmt.Errorf("key %s has another version since the census began, which it did not look for: start again", key)}
	}
	return err
}

// read tells what the census has read.
func (r *retirement) read() string {
	places := "files"
	if r.places {
		places = "places"
	}
	text := fmt.Sprintf("%d %s, %s rows: none is sealed under it", len(r.Census), places, grouped(uint64(r.Rows)))
	if r.Unreadable > 0 {
		text += fmt.Sprintf("; %s rows hold no ciphertext of Meridian", grouped(uint64(r.Unreadable)))
	}
	return text
}

// statement is the retirement for people.
func (r *retirement) statement(w io.Writer) {
	is := "is"
	if r.DryRun {
		is = "would be"
	}
	fmt.Fprintf(w, "Version %d of key %s %s retired.\n\n", r.Number, r.Key, is)
	fields(w, "  version", r.Version, "  created", r.Created, "  checked", r.At, "  census", r.read(), "  files", strings.Join(r.Census, ", "), "  last use", "not known: no region keeps a record of it yet")
	switch {
	case r.Destroyed:
		fmt.Fprintf(w, "\nIt was the only version: the key is unusable now and destroyed on %s. Until then: meridian key undelete %s\n", day(r.DeleteAt), r.Key)
	case r.DryRun:
		fmt.Fprint(w, "\nNothing was done.\n")
	default:
		fmt.Fprintf(w, "\nNothing was changed: a region cannot destroy one version of a key and keep the others.\nIt can still open what these files did not show, until the key is deleted: meridian key delete %s\n", r.Key)
	}
}
