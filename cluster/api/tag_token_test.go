package api

import (
	"encoding/base64"
	"strings"
	"testing"

	"meridian/cluster/access"
	"meridian/crypto"
	"meridian/store"
)

// tagged is a region with more tags than an answer lists, and what asks for them.
func tagged(t *testing.T) (h *harness, all params, token string) {
	t.Helper()
	h = newHarness(t, Limits{})
	for range tagRows/maxTags + 1 {
		tags := params{"ResourceType": "key", "ResourceId.1": h.newKey(t)}
		for n := range int64(maxTags) {
			tags["Tag."+decimal(n+1)+".Key"] = "k" + decimal(n)
		}
		h.ok(t, "TagResources", tags)
	}
	all = params{"ResourceType": "key"}
	r := h.ok(t, "ListTagResources", all)
	if token = r.text("NextToken"); token == "" {
		t.Fatal(r.raw)
	}
	return h, all, token
}

// The last row that was looked at may be of a key that is not for the caller: a token does not name it.
func TestTagTokenTellsNothing(t *testing.T) {
	h, all, token := tagged(t)
	plain, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	r := h.ok(t, "ListTagResources", all)
	for _, key := range r.list("TagResources", "TagResource", "ResourceId") {
		id, _ := crypto.ParseKeyID(key)
		if strings.Contains(string(plain), string(id[:])) || strings.Contains(token, key) {
			t.Fatalf("the token names key %s", key)
		}
	}
	if again := r.text("NextToken"); again == token || len(again) != len(token) {
		t.Errorf("tokens of the same place are %q and %q", token, again)
	}
	c := h.tagCall(h.identity.Principal)
	for _, tagKey := range []string{"a", strings.Repeat("𠀀", maxTagKeyChars)} {
		long, err := c.tagToken(store.TagPosition{TagKey: tagKey})
		if err != nil || len(long) != len(token) {
			t.Errorf("%d characters for a tag key of %d bytes, want %d: %v", len(long), len(tagKey), len(token), err)
		}
		if at, err := c.parseTagToken(long); err != nil || at.TagKey != tagKey {
			t.Errorf("%v, %v", at, err)
		}
	}
}

// tagCall is a call of ListTagResources without parameters.
func (h *harness) tagCall(principal string) *Call {
	return &Call{Action: kmsByName["ListTagResources"], Identity: &access.Identity{Principal: principal}, server: h.server}
}

// A token that one node gave is taken by another, after a rotation of the region's KEK too, for the query that it was given
// for. All others are refused, whatever they are.
func TestTagTokenIsTakenForItsQueryOnly(t *testing.T) {
	h, all, token := tagged(t)
	rows := func() int {
		t.Helper()
		r := h.ok(t, "ListTagResources", with(all, "NextToken", token))
		return len(r.list("TagResources", "TagResource", "TagKey"))
	}
	h.server, _ = h.newServer(t, Limits{})
	if got := rows(); got != maxTags {
		t.Errorf("%d rows on another node, want %d", got, maxTags)
	}
	old := h.keyring
	rotated, err := old.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	defer rotated.Close()
	h.keyring = rotated
	if got := rows(); got != maxTags {
		t.Errorf("%d rows after a rotation, want %d", got, maxTags)
	}

	refused := func(what string, changes ...string) {
		t.Helper()
		r := h.call(t, "ListTagResources", with(with(all, "NextToken", token), changes...))
		if r.code != CodeInvalidParameter || !strings.Contains(r.message(), "NextToken") {
			t.Errorf("%s: %s", what, r.raw)
		}
	}
	key := h.newKey(t)
	refused("a query for a tag", "Tag.1.Key", "k1")
	refused("a query for a key", "ResourceId.1", key)
	other := h.ok(t, "ListTagResources", with(all, "Tag.1.Key", "k0")).text("NextToken")
	refused("the token of another query", "NextToken", other)
	flipped := []byte(token)
	flipped[len(flipped)/2] ^= 1
	refused("a changed token", "NextToken", string(flipped))
	refused("a token cut short", "NextToken", token[:len(token)-1])
	refused("a longer token", "NextToken", token+"A")
	refused("a token with a line break", "NextToken", token[:len(token)-1]+"\n")
	foreign, err := crypto.GenerateKeyring()
	if err != nil {
		t.Fatal(err)
	}
	defer foreign.Close()
	h.keyring = foreign
	refused("a token of a region's keyring that is gone")
}

// A token is good for the caller to whom it was given.
func TestTagTokenIsOfItsCaller(t *testing.T) {
	h, _, token := tagged(t)
	if _, err := h.tagCall(h.identity.Principal).parseTagToken(token); err != nil {
		t.Fatal(err)
	}
	other := h.tagCall("acs:ram::" + testAccount + ":user/else")
	if _, err := other.parseTagToken(token); err == nil || apiError(other, err).Code != CodeInvalidParameter {
		t.Errorf("another caller: %v", err)
	}
}
