package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

// keyVersionView is a key version as the command line shows it.
type keyVersionView struct {
	ID      string `json:"key_version_id"`
	Created string `json:"created"`
	Primary bool   `json:"primary,omitempty"` // seals what is encrypted now; of symmetric keys
}

// versionList is the result of `meridian key versions`.
type versionList struct {
	KeyID    string           `json:"key_id"`
	Versions []keyVersionView `json:"versions"`
	Total    int              `json:"total"`
}

func newKeyVersionsCommand(v *clientVerb) *cobra.Command {
	return &cobra.Command{
		Use:               "versions KEY",
		Short:             "List the versions of a key, newest first",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: v.completeKeys,
		RunE: v.run(func(ctx context.Context, s *session, args []string) error {
			ref, err := s.keyRef(ctx, args[0])
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
				return errExplained
			}
			return s.writeVersions(k, versions)
		}),
	}
}

func (s *session) writeVersions(k keyView, versions []keyVersionView) error {
	all := versionList{k.ID, versions, len(versions)}
	items, cells := make([]any, 0, len(versions)), make([][]string, 0, len(versions))
	for i := range versions {
		primary := ""
		if v := &versions[i]; v.ID == k.PrimaryVersion {
			v.Primary, primary = true, "primary"
		}
		items = append(items, versions[i])
		cells = append(cells, []string{versions[i].ID, versions[i].Created, primary})
	}
	return s.rows(all, items, []string{"VERSION", "CREATED", ""}, cells)
}

// versions lists the versions of a key, newest first.
func (s *session) versions(ctx context.Context, key string) ([]keyVersionView, error) {
	found := []keyVersionView{}
	for page := 1; ; page++ {
		got, total, err := s.versionPage(ctx, key, page, listPage)
		if err != nil {
			return nil, err
		}
		if found = append(found, got...); len(got) == 0 || len(found) >= total {
			return found, nil
		}
	}
}

func (s *session) versionPage(ctx context.Context, key string, page, size int) ([]keyVersionView, int, error) {
	var answer struct {
		KeyVersions struct {
			KeyVersion []struct{ KeyVersionId, CreationDate string }
		}
		TotalCount int
	}
	params := pageParams(page, size)
	params["KeyId"] = key
	_, err := s.send(ctx, "ListKeyVersions", params, &answer)
	var found []keyVersionView
	for _, v := range answer.KeyVersions.KeyVersion {
		found = append(found, keyVersionView{ID: v.KeyVersionId, Created: v.CreationDate})
	}
	return found, answer.TotalCount, err
}

// version is the version that a flag names, else the newest one.
func (s *session) version(ctx context.Context, key, named string) (string, error) {
	if named != "" {
		return named, nil
	}
	newest, _, err := s.versionPage(ctx, key, 1, 1)
	switch {
	case err != nil:
		return "", err
	case s.explain:
		return told("KeyVersionId", "ListKeyVersions"), nil
	case len(newest) == 0:
		return "", &exitError{exitNotFound, fmt.Errorf("key %s has no version yet; import its material: meridian key import %s", key, key)}
	}
	return newest[0].ID, nil
}

// versionsToTry are the version that a flag names, else all, newest first.
func (s *session) versionsToTry(ctx context.Context, key, named string) (ids []string, err error) {
	if named != "" {
		return []string{named}, nil
	}
	versions, err := s.versions(ctx, key)
	if s.explain {
		return []string{told("KeyVersionId", "ListKeyVersions")}, err
	}
	for _, v := range versions {
		ids = append(ids, v.ID)
	}
	return ids, err
}

// versionIDs are the versions of a key, for a shell.
func (s *session) versionIDs(ctx context.Context, key string) ([]cobra.Completion, error) {
	versions, err := s.versions(ctx, key)
	var found []cobra.Completion
	for _, v := range versions {
		found = append(found, cobra.CompletionWithDesc(v.ID, v.Created))
	}
	return found, err
}

// addVersionFlag declares --version; absent says what is taken without it.
func addVersionFlag(c *cobra.Command, v *clientVerb, to *string, absent string) {
	c.Flags().StringVar(to, "version", "", "`ID` of the key version (default: "+absent+")")
	_ = c.RegisterFlagCompletionFunc("version", v.completeOfKey((*session).versionIDs)) // the flag is there
}
