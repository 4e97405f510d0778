package classic

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/kms"
)

// tags are those of one key, by their keys.
type tags map[string]string

// most is the number of tags that a key may have.
const most = 20

// text is the JSON text that CreateKey and TagResource take.
func (t tags) text(c *caller) string {
	c.Helper()
	var list []map[string]string
	for key, value := range t {
		list = append(list, map[string]string{"TagKey": key, "TagValue": value})
	}
	return c.json(list)
}

func (c *caller) json(value any) string {
	c.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		c.Fatal(err)
	}
	return string(text)
}

func numbered(prefix string, from, to int) tags {
	t := make(tags)
	for i := from; i <= to; i++ {
		t[fmt.Sprintf("%s%02d", prefix, i)] = fmt.Sprint(i)
	}
	return t
}

// tagsOfOne sets and removes tags of one key: TagResource, UntagResource, ListResourceTags, with JSON text.
func tagsOfOne(c, _ *caller) {
	want := tags{"team": "payments", "empty": "", "Größe": "a/b\\c_d-e.f+g=h:i@j"}
	key := c.createKey(func(r *kms.CreateKeyRequest) { r.Tags = want.text(c) }).KeyId
	c.wantTags(key, want)
	for i, more := range []tags{{"team": "ledger"}, {"stage": "test", "owner": "a@b"}, {"stage": "production"}} {
		request := kms.CreateTagResourceRequest()
		request.KeyId, request.Tags = key, more.text(c)
		must(c, c.client.TagResource, request.RpcRequest, request)
		maps.Copy(want, more)
		if c.wantTags(key, want); c.Failed() {
			c.Fatalf("after step %d", i)
		}
	}
	for _, gone := range [][]string{{"team", "never.there"}, {"stage"}, {"owner", "empty"}} {
		request := kms.CreateUntagResourceRequest()
		request.KeyId, request.TagKeys = key, c.json(gone)
		must(c, c.client.UntagResource, request.RpcRequest, request)
		for _, name := range gone {
			delete(want, name)
		}
		c.wantTags(key, want)
	}
	for _, wrong := range []tags{{"aliyun-x": "v"}, {"acs:x": "v"}, {"a b": "v"}, {"": "v"}} {
		request := kms.CreateTagResourceRequest()
		request.KeyId, request.Tags = key, wrong.text(c)
		refused(c, c.client.TagResource, request.RpcRequest, request, http.StatusBadRequest, "InvalidParameter")
	}
	full := kms.CreateTagResourceRequest()
	full.KeyId, full.Tags = key, numbered("k", len(want)+1, most).text(c)
	must(c, c.client.TagResource, full.RpcRequest, full)
	over := kms.CreateTagResourceRequest()
	over.KeyId, over.Tags = key, tags{"one.too.many": "v"}.text(c)
	refused(c, c.client.TagResource, over.RpcRequest, over, http.StatusBadRequest, "Rejected.LimitExceeded")
	nothing := kms.CreateTagResourceRequest()
	nothing.Tags = full.Tags
	refused(c, c.client.TagResource, nothing.RpcRequest, nothing, http.StatusBadRequest, "MissingParameter")
}

// wantTags insists that each node lists exactly these.
func (c *caller) wantTags(key string, want tags) {
	c.Helper()
	for range c.region.Endpoints {
		request := kms.CreateListResourceTagsRequest()
		request.KeyId = key
		got := make(tags)
		for _, tag := range must(c, c.client.ListResourceTags, request.RpcRequest, request).Tags.Tag {
			got[tag.TagKey] = tag.TagValue
			if tag.KeyId != key {
				c.Errorf("a tag of key %s, want %s", tag.KeyId, key)
			}
		}
		if !maps.Equal(got, want) {
			c.Errorf("tags %v, want %v", got, want)
		}
	}
}

// tagsOfSeveral sets and removes tags of keys together: TagResources, UntagResources, ListTagResources, with numbered
// parameters. The SDK leaves empty texts out, so that it can set no empty value here.
func tagsOfSeveral(c, _ *caller) {
	mark := randomHex(8)
	first, second, third := c.createKey(nil).KeyId, c.createKey(nil), c.createKey(nil).KeyId
	tag := func(want tags, keys ...string) {
		c.Helper()
		request := tagRequest(want, keys...)
		must(c, c.client.TagResources, request.RpcRequest, request)
	}
	tag(tags{"mark": mark, "team": "payments"}, first, second.Arn)
	tag(tags{"mark": mark, "team": "ledger"}, third)
	c.wantTags(first, tags{"mark": mark, "team": "payments"})
	c.wantTags(third, tags{"mark": mark, "team": "ledger"})
	both := slices.Sorted(slices.Values([]string{first, second.KeyId}))
	all := slices.Sorted(slices.Values([]string{first, second.KeyId, third}))
	c.wantTagged(listing(tags{"mark": mark}), all)
	c.wantTagged(listing(tags{"mark": mark, "team": "payments"}), both)
	c.wantTagged(listing(tags{"team": ""}, third), []string{third})
	c.wantTagged(listing(nil, first, third), slices.Sorted(slices.Values([]string{first, third})))
	c.wantTagged(listing(tags{"team": "ledger"}, first, second.KeyId), nil)
	c.wantTagged(listing(nil, noKey), nil)

	some := untagRequest(first, second.KeyId)
	some.TagKey = &[]string{"team", "never.there"}
	must(c, c.client.UntagResources, some.RpcRequest, some)
	c.wantTags(first, tags{"mark": mark})
	c.wantTags(second.KeyId, tags{"mark": mark})
	neither := untagRequest(first)
	refused(c, c.client.UntagResources, neither.RpcRequest, neither, http.StatusBadRequest, "MissingParameter")
	every := untagRequest(second.KeyId, third)
	every.All = requests.NewBoolean(true)
	must(c, c.client.UntagResources, every.RpcRequest, every)
	c.wantTags(second.KeyId, nil)
	c.wantTagged(listing(tags{"mark": mark}), []string{first})

	// All of them or none: one key is unknown, or has too many already.
	unknown := tagRequest(tags{"new": "v"}, first, noKey)
	refused(c, c.client.TagResources, unknown.RpcRequest, unknown, http.StatusNotFound, "Forbidden.KeyNotFound")
	tag(numbered("k", 1, most), third)
	over := tagRequest(tags{"new": "v"}, first, third)
	refused(c, c.client.TagResources, over.RpcRequest, over, http.StatusBadRequest, "Rejected.LimitExceeded")
	c.wantTags(first, tags{"mark": mark})
}

func tagRequest(t tags, keys ...string) *kms.TagResourcesRequest {
	request := kms.CreateTagResourcesRequest()
	var list []kms.TagResourcesTag
	for key, value := range t {
		list = append(list, kms.TagResourcesTag{Key: key, Value: value})
	}
	request.ResourceType, request.ResourceId, request.Tag = "key", &keys, &list
	return request
}

func untagRequest(keys ...string) *kms.UntagResourcesRequest {
	request := kms.CreateUntagResourcesRequest()
	request.ResourceType, request.ResourceId = "key", &keys
	return request
}

// listing asks for keys that have all of these tags, with an empty value for any.
func listing(t tags, keys ...string) *kms.ListTagResourcesRequest {
	request := kms.CreateListTagResourcesRequest()
	request.ResourceType = "key"
	if len(keys) > 0 {
		request.ResourceId = &keys
	}
	if len(t) > 0 {
		var list []kms.ListTagResourcesTag
		for key, value := range t {
			list = append(list, kms.ListTagResourcesTag{Key: key, Value: value})
		}
		request.Tag = &list
	}
	return request
}

// wantTagged insists that each node lists rows of exactly these keys.
func (c *caller) wantTagged(request *kms.ListTagResourcesRequest, want []string) {
	c.Helper()
	for range c.region.Endpoints {
		var keys []string
		for _, row := range must(c, c.client.ListTagResources, request.RpcRequest, request).TagResources.TagResource {
			keys = append(keys, row.ResourceId)
			if row.ResourceType != "key" {
				c.Errorf("a row of type %s", row.ResourceType)
			}
		}
		slices.Sort(keys)
		if keys = slices.Compact(keys); !slices.Equal(keys, want) {
			c.Errorf("rows of the keys %v, want %v", keys, want)
		}
	}
}

// pagesOfTags lists more rows than one answer holds.
func pagesOfTags(c, _ *caller) {
	mark := randomHex(8)
	var keys []string
	for range 11 {
		keys = append(keys, c.createKey(nil).KeyId)
	}
	want := numbered("k", 2, most)
	want["mark"] = mark
	all := tagRequest(want, keys...)
	must(c, c.client.TagResources, all.RpcRequest, all)
	rows, token := make(map[string]int), ""
	for page := 1; ; page++ {
		request := listing(tags{"mark": mark})
		request.NextToken = token
		answer := must(c, c.client.ListTagResources, request.RpcRequest, request)
		for _, row := range answer.TagResources.TagResource {
			rows[row.ResourceId+" "+row.TagKey]++
		}
		if token = answer.NextToken; token == "" {
			break
		}
		if len(answer.TagResources.TagResource) != 200 {
			c.Errorf("%d rows on page %d", len(answer.TagResources.TagResource), page)
		}
	}
	for row, times := range rows {
		if times != 1 {
			c.Errorf("row %s comes %d times", row, times)
		}
	}
	if len(rows) != len(keys)*most {
		c.Errorf("%d rows, want %d", len(rows), len(keys)*most)
	}
	request := listing(tags{"mark": mark})
	request.NextToken = "not a token"
	refused(c, c.client.ListTagResources, request.RpcRequest, request, http.StatusBadRequest, "InvalidParameter")
}
