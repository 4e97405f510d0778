package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"meridian/crypto"
)

// Sizes of what names a key on the command line.
const (
	minPrefix = 4   // of an id, in characters
	listPage  = 100 // the API's largest page
)

func isUUID(s string) bool {
	_, ok := crypto.ParseKeyID(s)
	return ok && len(s) == 36
}

// isAliasRef says that a reference names an alias, by name or ARN.
func isAliasRef(ref string) bool {
	return strings.HasPrefix(ref, "alias/") || strings.HasPrefix(ref, "acs:kms:") && strings.Contains(ref, ":alias/")
}

// isPrefix says that a reference can be the beginning of a key id.
func isPrefix(ref string) bool {
	if len(ref) < minPrefix || len(ref) >= 36 {
		return false
	}
	for _, c := range strings.ToLower(ref) {
		if !strings.ContainsRune("0123456789abcdef-", c) {
			return false
		}
	}
	return true
}

// keyRef turns what was typed for a key into what the API takes: alias, id or
// ARN as they are, the unique beginning of an id into the id, on a terminal.
func (s *session) keyRef(ctx context.Context, ref string) (string, error) {
	switch {
	case isAliasRef(ref), strings.HasPrefix(ref, "acs:kms:"), isUUID(ref):
		return ref, nil
	case isPrefix(ref) && s.interactive():
		return s.byPrefix(ctx, ref)
	case isPrefix(ref):
		return "", usageError("%q is no whole key id; a unique beginning is enough only on a terminal", ref)
	}
	return "", usageError("%q names no key: want alias/NAME, a key id or an ARN; did you mean alias/%s?", ref, ref)
}

// keyID is keyRef for the actions that take no alias: the id behind it.
func (s *session) keyID(ctx context.Context, ref string) (string, error) {
	ref, err := s.keyRef(ctx, ref)
	if err != nil || !isAliasRef(ref) {
		return ref, err
	}
	k, err := s.describe(ctx, ref)
	return k.ID, err
}

// describe asks for one key.
func (s *session) describe(ctx context.Context, ref string) (keyView, error) {
	var answer struct{ KeyMetadata keyMetadata }
	resp, err := s.send(ctx, "DescribeKey", map[string]string{"KeyId": ref}, &answer)
	k := answer.KeyMetadata.view(resp)
	if s.explain {
		k.ID = ref
		if isAliasRef(ref) {
			k.ID = told("KeyId", ref)
		}
	}
	return k, err
}

// byPrefix finds the one key whose id begins so.
func (s *session) byPrefix(ctx context.Context, prefix string) (string, error) {
	prefix = strings.ToLower(prefix)
	var found []string
	err := s.eachKey(ctx, func(id, _ string) bool {
		if strings.HasPrefix(id, prefix) {
			found = append(found, id)
		}
		return len(found) < 5
	})
	switch {
	case err != nil:
		return "", err
	case s.explain:
		return told("KeyId", prefix+"…"), nil
	case len(found) == 0:
		return "", &exitError{exitNotFound, fmt.Errorf("no key id begins with %s; those there are: meridian key list", prefix)}
	case len(found) > 1:
		return "", usageError("%s is the beginning of several key ids: %s", prefix, strings.Join(found, ", "))
	}
	return found[0], nil
}

// eachKey lists all keys in the order of the API until f returns false.
func (s *session) eachKey(ctx context.Context, f func(id, arn string) bool) error {
	for page := 1; ; page++ {
		var answer struct {
			Keys struct {
				Key []struct{ KeyId, KeyArn string }
			}
			TotalCount int
		}
		_, err := s.send(ctx, "ListKeys", pageParams(page, listPage), &answer)
		if err != nil {
			return err
		}
		for _, k := range answer.Keys.Key {
			if !f(k.KeyId, k.KeyArn) {
				return nil
			}
		}
		if len(answer.Keys.Key) == 0 || page*listPage >= answer.TotalCount {
			return nil
		}
	}
}

func pageParams(page, size int) map[string]string {
	return map[string]string{"PageNumber": strconv.Itoa(page), "PageSize": strconv.Itoa(size)}
}
