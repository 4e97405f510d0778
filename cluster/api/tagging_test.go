package api

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// tagTexts lists the tags of a key as key=value.
func (h *harness) tagTexts(tb testing.TB, key string) (all []string) {
	tb.Helper()
	r := h.ok(tb, "ListResourceTags", params{"KeyId": key})
	values := r.list("Tags", "Tag", "TagValue")
	for i, name := range r.list("Tags", "Tag", "TagKey") {
		all = append(all, name+"="+values[i])
	}
	return all
}

// Both spellings set and take the same tags.
func TestTags(t *testing.T) {
	h := newHarness(t, Limits{})
	key, second := h.newKey(t), h.newKey(t)
	expect := func(key string, want ...string) {
		t.Helper()
		if got := h.tagTexts(t, key); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
	expect(key)
	h.ok(t, "TagResource", params{"KeyId": key, "Tags": `[{"TagKey":"b","TagValue":"1"},{"TagKey":"a","TagValue":""}]`})
	expect(key, "a=", "b=1")
	h.ok(t, "TagResources", params{
		"ResourceType": "key", "ResourceId.1": key, "ResourceId.2": "acs:kms:" + testRegionID + ":" + testAccount + ":key/" + second, "ResourceId.3": second,
		"Tag.1.Key": "b", "Tag.1.Value": "2", "Tag.2.Key": "c",
	})
	expect(key, "a=", "b=2", "c=")
	expect(second, "b=2", "c=")
	h.ok(t, "UntagResource", params{"KeyId": key, "TagKeys": `["a","none"]`})
	expect(key, "b=2", "c=")
	h.ok(t, "UntagResources", params{"ResourceType": "key", "ResourceId.1": key, "ResourceId.2": second, "TagKey.1": "b", "All": "true"})
	expect(key, "c=")
	expect(second, "c=")
	h.ok(t, "UntagResources", params{"ResourceType": "key", "ResourceId.1": second, "All": "true"})
	expect(second)
}

// Several keys get tags all together or not at all, and the answer says which one is in the way.
func TestTagsOfSeveralKeys(t *testing.T) {
	h := newHarness(t, Limits{})
	free, full := h.newKey(t), h.newKey(t)
	const gone = "ffffffff-ffff-4fff-bfff-ffffffffffff"
	p := params{"ResourceType": "key", "ResourceId.1": full}
	for i := range maxTags {
		p[fmt.Sprintf("Tag.%d.Key", i+1)] = fmt.Sprintf("k%02d", i)
	}
	h.ok(t, "TagResources", p)
	one := params{"ResourceType": "key", "ResourceId.1": free, "Tag.1.Key": "k20"}
	for code, key := range map[string]string{CodeRejectedLimitExceeded: full, CodeForbiddenKeyNotFound: gone} {
		r := h.fails(t, code, "TagResources", with(one, "ResourceId.2", key))
		if code == CodeForbiddenKeyNotFound && !strings.Contains(r.message(), gone) {
			t.Error(r.message())
		}
	}
	h.fails(t, CodeRejectedLimitExceeded, "TagResource", params{"KeyId": full, "Tags": `[{"TagKey":"k20"}]`})
	h.ok(t, "TagResource", params{"KeyId": full, "Tags": `[{"TagKey":"k19","TagValue":"new"}]`}) // no tag more
	if got := h.tagTexts(t, free); len(got) != 0 {
		t.Errorf("a refused call left %v", got)
	}
	h.fails(t, CodeForbiddenKeyNotFound, "UntagResources", params{"ResourceType": "key", "ResourceId.1": full, "ResourceId.2": gone, "All": "true"})
	if got := h.tagTexts(t, full); len(got) != maxTags {
		t.Errorf("a refused call left %v", got)
	}
}

func TestTagRefusals(t *testing.T) {
	h := newHarness(t, Limits{})
	key := h.newKey(t)
	numbered := params{"ResourceType": "key", "ResourceId.1": key, "Tag.1.Key": "a", "Tag.1.Value": "1"}
	for _, c := range []struct {
		action string
		p      params
		code   string
		name   string
	}{
		{"TagResource", params{"KeyId": key, "Tags": "[]"}, CodeInvalidParameter, "Tags"},
		{"TagResource", params{"KeyId": key, "SecretName": "s", "Tags": `[{"TagKey":"a"}]`}, CodeInvalidParameter, "SecretName"},
		{"TagResource", params{"CertificateId": "c", "Tags": `[{"TagKey":"a"}]`}, CodeInvalidParameter, "CertificateId"},
		{"UntagResource", params{"KeyId": key, "TagKeys": "[]"}, CodeInvalidParameter, "TagKeys"},
		{"UntagResource", params{"KeyId": key, "TagKeys": `[""]`}, CodeInvalidParameter, "TagKeys"},
		{"UntagResource", params{"KeyId": key, "TagKeys": `[null]`}, CodeInvalidParameter, "TagKeys"},
		{"UntagResource", params{"KeyId": key, "TagKeys": `[1]`}, CodeInvalidParameter, "TagKeys"},
		{"UntagResource", params{"KeyId": key, "TagKeys": `["` + strings.Repeat("x", 129) + `"]`}, CodeInvalidParameter, "TagKeys"},
		{"UntagResource", params{"KeyId": key, "TagKeys": `["` + strings.Repeat(`x","`, 20) + `x"]`}, CodeInvalidParameter, "TagKeys"},
		{"TagResources", with(numbered, "ResourceType", "secret"), CodeInvalidParameter, "ResourceType"},
		{"TagResources", with(numbered, "Tag.2.Key", "a"), CodeInvalidParameter, "Tag.2.Key"},
		{"TagResources", with(numbered, "Tag.1.Key", "aliyun:x"), CodeInvalidParameter, "Tag.1"},
		{"TagResources", with(numbered, "Tag.1.Key", strings.Repeat("é", 129)), CodeInvalidParameter, "Tag.1"},
		{"TagResources", with(numbered, "Tag.1.Value", strings.Repeat("é", 129)), CodeInvalidParameter, "Tag.1"},
		{"TagResources", with(numbered, "Tag.1.Key", "-"), CodeInvalidParameter, "Tag.1"},
		{"TagResources", with(numbered, "Tag.01.Key", "b"), CodeInvalidParameter, "Tag"},
		{"TagResources", with(numbered, "ResourceId.1", "bell\a"), CodeInvalidParameter, "ResourceId.1"},
		{"TagResources", with(numbered, "ResourceId.1", "acs:kms:cn-shanghai:"+testAccount+":key/"+key), CodeInvalidParameter, ""},
		{"UntagResources", with(numbered, "All", "-", "TagKey.1", "-"), CodeMissingParameter, "TagKey.1"},
		{"UntagResources", with(numbered, "All", "false"), CodeMissingParameter, "TagKey.1"},
		{"UntagResources", with(numbered, "TagKey.1", "acs:x"), CodeInvalidParameter, "TagKey.1"},
		{"ListTagResources", params{"ResourceType": "secret"}, CodeInvalidParameter, "ResourceType"},
		{"ListTagResources", params{"ResourceType": "key", "NextToken": "!"}, CodeInvalidParameter, "NextToken"},
		{"ListTagResources", params{"ResourceType": "key", "NextToken": "AAAAAAAAAAAAAAAAAAAAAA"}, CodeInvalidParameter, "NextToken"},
		{"ListTagResources", params{"ResourceType": "key", "ResourceId.1": "bell\a"}, CodeInvalidParameter, "ResourceId.1"},
	} {
		r := h.call(t, c.action, c.p)
		if c.name == "" {
			if r.code != CodeInvalidParameterWrongRegion {
				t.Errorf("%s %v: %s", c.action, c.p, r.raw)
			}
			continue
		}
		if r.code != c.code || !strings.Contains(r.message(), c.name) {
			t.Errorf("%s %v: %s, want %s naming %s", c.action, c.p, r.raw, c.code, c.name)
		}
	}
	h.ok(t, "TagResources", with(numbered, "Tag.1.Key", strings.Repeat("é", 128), "Tag.1.Value", strings.Repeat("é", 128)))
	h.ok(t, "UntagResource", params{"KeyId": key, "TagKeys": `["` + strings.Repeat("é", 128) + `"]`})
}

// Rows come by key and tag, 200 an answer; the next answer goes on where the last one ended.
func TestListTagResources(t *testing.T) {
	h := newHarness(t, Limits{})
	var keys []string
	for i := range 21 {
		key := h.newKey(t)
		p := params{"ResourceType": "key", "ResourceId.1": key}
		for n := range maxTags {
			p[fmt.Sprintf("Tag.%d.Key", n+1)], p[fmt.Sprintf("Tag.%d.Value", n+1)] = fmt.Sprintf("k%02d", n), fmt.Sprint(i%2)
		}
		h.ok(t, "TagResources", p)
		keys = append(keys, key)
	}
	slices.Sort(keys)
	all := func(p params) (rows []string, answers int) {
		t.Helper()
		for {
			r := h.ok(t, "ListTagResources", p)
			ids, names := r.list("TagResources", "TagResource", "ResourceId"), r.list("TagResources", "TagResource", "TagKey")
			for i := range ids {
				rows = append(rows, ids[i]+" "+names[i])
			}
			answers++
			if len(ids) > tagRows {
				t.Errorf("%d rows in an answer", len(ids))
			}
			if r.text("NextToken") == "" {
				return rows, answers
			}
			p = with(p, "NextToken", r.text("NextToken"))
		}
	}
	rows, answers := all(params{"ResourceType": "key"})
	if len(rows) != 21*maxTags || answers != 3 || !slices.IsSorted(rows) || rows[0] != keys[0]+" k00" {
		t.Errorf("%d rows in %d answers, from %s", len(rows), answers, rows[0])
	}
	if rows, answers := all(params{"ResourceType": "key", "Tag.1.Key": "k00", "Tag.1.Value": "0"}); len(rows) != 11*maxTags || answers != 2 {
		t.Errorf("%d rows in %d answers", len(rows), answers)
	}
	if rows, _ := all(params{"ResourceType": "key", "Tag.1.Key": "k00", "Tag.2.Key": "k01", "Tag.2.Value": "1"}); len(rows) != 10*maxTags {
		t.Errorf("%d rows", len(rows))
	}
	if rows, _ := all(params{"ResourceType": "key", "Tag.1.Key": "none"}); len(rows) != 0 {
		t.Errorf("%d rows", len(rows))
	}
	few := params{"ResourceType": "key", "ResourceId.1": keys[3], "ResourceId.2": keys[1], "ResourceId.3": "none", "ResourceId.4": "11111111-2222-4333-8444-555555555555"}
	if rows, _ := all(few); len(rows) != 2*maxTags || !slices.IsSorted(rows) {
		t.Errorf("%v", rows)
	}
	if rows, _ := all(params{"ResourceType": "key", "ResourceId.1": "none"}); len(rows) != 0 {
		t.Errorf("%v", rows)
	}
}

// A tag that no key has is looked for in a bounded number of keys an answer.
func TestRareTagTakesSeveralAnswers(t *testing.T) {
	h := newHarness(t, Limits{Keys: 2 * tagScan})
	for range tagScan + 1 {
		h.ok(t, "CreateKey", params{"Tags": `[{"TagKey":"a","TagValue":"b"}]`})
	}
	p := params{"ResourceType": "key", "Tag.1.Key": "none"}
	r := h.ok(t, "ListTagResources", p)
	token := r.text("NextToken")
	if token == "" || len(r.list("TagResources", "TagResource", "TagKey")) != 0 {
		t.Fatal(r.raw)
	}
	if r = h.ok(t, "ListTagResources", with(p, "NextToken", token)); r.text("NextToken") != "" {
		t.Error(r.raw)
	}
}
