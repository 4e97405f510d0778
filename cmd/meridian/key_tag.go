package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// maxTags is how many tags a key can have (API page TagResource).
const maxTags = 20

// tagView is a tag as the command line shows it.
type tagView struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// tagList is the result of `meridian key tag KEY`.
type tagList struct {
	KeyID string    `json:"key_id"`
	Tags  []tagView `json:"tags"`
	Total int       `json:"total"`
}

// parseTags reads NAME=VALUE pairs. What else a tag may be is the region's to say.
func parseTags(pairs []string) ([]tagView, error) {
	var tags []tagView
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		switch {
		case !ok || name == "":
			return nil, usageError("tag %q: want NAME=VALUE", pair)
		case !utf8.ValidString(pair):
			return nil, usageError("tag %q: not UTF-8", pair)
		case slices.ContainsFunc(tags, func(t tagView) bool { return t.Name == name }):
			return nil, usageError("tag %q is given twice", name)
		}
		tags = append(tags, tagView{name, value})
	}
	return tags, nil
}

// tagsParam is NAME=VALUE pairs as the API wants them.
func tagsParam(pairs []string) (string, error) {
	tags, err := parseTags(pairs)
	if err != nil {
		return "", err
	}
	type tag struct{ TagKey, TagValue string }
	var all []tag
	for _, t := range tags {
		all = append(all, tag{t.Name, t.Value})
	}
	return jsonText(all)
}

func newKeyTagCommand(v *clientVerb) *cobra.Command {
	var remove []string
	var dryRun bool
	c := &cobra.Command{
		Use:   "tag KEY [NAME=VALUE]...",
		Short: "List, set and remove the tags of a key",
		Long: `Without more it lists the tags of a key. NAME=VALUE sets one, in the place of an
older value; --remove NAME takes one off. A key has up to 20 tags.`,
		Example: `  meridian key tag alias/payments
  meridian key tag alias/payments team=checkout stage=prod
  meridian key tag alias/payments --remove stage`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: v.completeKeys,
	}
	c.RunE = v.run(func(ctx context.Context, s *session, args []string) error {
		tags, err := parseTags(args[1:])
		if err != nil {
			return err
		}
		for _, t := range tags {
			if slices.Contains(remove, t.Name) {
				return usageError("tag %q is both set and removed", t.Name)
			}
		}
		id, err := s.keyID(ctx, args[0])
		switch {
		case err != nil:
			return err
		case len(tags) == 0 && len(remove) == 0:
			return s.listTags(ctx, id)
		case dryRun && !s.explain:
			return s.dryRunTags(ctx, id, tags, remove)
		}
		return s.changeTags(ctx, id, args[1:], remove)
	})
	c.Flags().StringArrayVar(&remove, "remove", nil, "take off the tag of this `NAME`; may be repeated")
	_ = c.RegisterFlagCompletionFunc("remove", v.completeOfKey((*session).tagNames)) // the flag is there
	addDryRun(c, &dryRun)
	return c
}

// tags are those of a key.
func (s *session) tags(ctx context.Context, id string) ([]tagView, error) {
	var answer struct {
		Tags struct {
			Tag []struct{ TagKey, TagValue string }
		}
	}
	_, err := s.send(ctx, "ListResourceTags", map[string]string{"KeyId": id}, &answer)
	tags := []tagView{}
	for _, t := range answer.Tags.Tag {
		tags = append(tags, tagView{t.TagKey, t.TagValue})
	}
	return tags, err
}

func (s *session) listTags(ctx context.Context, id string) error {
	tags, err := s.tags(ctx, id)
	if err != nil {
		return err
	}
	if s.explain {
		return errExplained
	}
	items, cells := make([]any, 0, len(tags)), make([][]string, 0, len(tags))
	for _, t := range tags {
		items = append(items, t)
		cells = append(cells, []string{printable(t.Name), printable(t.Value)})
	}
	return s.rows(tagList{id, tags, len(tags)}, items, []string{"TAG", "VALUE"}, cells)
}

// tagNames are the tags of a key, for a shell.
func (s *session) tagNames(ctx context.Context, id string) ([]cobra.Completion, error) {
	tags, err := s.tags(ctx, id)
	var found []cobra.Completion
	for _, t := range tags {
		found = append(found, cobra.CompletionWithDesc(t.Name, t.Value))
	}
	return found, err
}

// dryRunTags says what the tags would become, and refuses more than there can be.
func (s *session) dryRunTags(ctx context.Context, id string, set []tagView, remove []string) error {
	now, err := s.tags(ctx, id)
	if err != nil {
		return err
	}
	after := slices.DeleteFunc(now, func(t tagView) bool {
		return slices.Contains(remove, t.Name) || slices.ContainsFunc(set, func(n tagView) bool { return n.Name == t.Name })
	})
	if n := len(after) + len(set); n > maxTags {
		return &exitError{exitFailed, fmt.Errorf("key %s would have %d tags; it can have %d", id, n, maxTags)}
	}
	return s.wouldBe("tagged", id)
}

// changeTags removes first, so that there is room.
func (s *session) changeTags(ctx context.Context, id string, set, remove []string) error {
	result := change{Done: "tagged", Key: id}
	if len(remove) > 0 {
		keys, err := jsonText(remove)
		if err != nil {
			return err
		}
		resp, err := s.send(ctx, "UntagResource", map[string]string{"KeyId": id, "TagKeys": keys}, nil)
		if err != nil {
			return err
		}
		result.answered = answeredBy(resp)
	}
	if len(set) > 0 {
		tags, err := tagsParam(set)
		if err != nil {
			return err
		}
		resp, err := s.send(ctx, "TagResource", map[string]string{"KeyId": id, "Tags": tags}, nil)
		switch {
		case err != nil && len(remove) > 0:
			return failAfter(err, "%s taken off; nothing set: ", strings.Join(remove, ", "))
		case err != nil:
			return err
		}
		result.answered = answeredBy(resp)
	}
	if s.explain {
		return errExplained
	}
	return s.changed(result, fmt.Sprintf("key %s is tagged", id))
}
