package v3

import (
	"maps"
	"net/http"
	"slices"

	kms "github.com/alibabacloud-go/kms-20160120/v3/client"
	"github.com/alibabacloud-go/tea/tea"
)

// tags are those of one key, by their keys.
type tags map[string]string

// list is what CreateKey and TagResource take as JSON text.
func (t tags) list() (list []map[string]string) {
	for key, value := range t {
		list = append(list, map[string]string{"TagKey": key, "TagValue": value})
	}
	return list
}

// tagsOfOne sets and removes tags of one key: TagResource, UntagResource, ListResourceTags, with JSON text.
func tagsOfOne(c, _ *caller) {
	want := tags{"team": "payments", "empty": "", "Größe": "a/b\\c_d-e.f+g=h:i@j"}
	key := c.createKey(&kms.CreateKeyRequest{Tags: c.json(want.list())}).KeyId
	c.wantTags(key, want)
	for _, more := range []tags{{"team": "ledger"}, {"stage": "test", "owner": "a@b"}, {"stage": ""}} {
		must(c, (*kms.Client).TagResource, &kms.TagResourceRequest{KeyId: key, Tags: c.json(more.list())})
		maps.Copy(want, more)
		c.wantTags(key, want)
	}
	for _, gone := range [][]string{{"team", "never.there"}, {"stage"}, {"owner"}} {
		must(c, (*kms.Client).UntagResource, &kms.UntagResourceRequest{KeyId: key, TagKeys: c.json(gone)})
		for _, name := range gone {
			delete(want, name)
		}
		c.wantTags(key, want)
	}
	refused(c, (*kms.Client).TagResource, &kms.TagResourceRequest{KeyId: key, Tags: c.json(tags{"acs:x": "v"}.list())}, http.StatusBadRequest, "InvalidParameter")
	refused(c, (*kms.Client).TagResource, &kms.TagResourceRequest{KeyId: key, CertificateId: key, Tags: c.json(want.list())}, http.StatusBadRequest, "InvalidParameter")
}

// wantTags insists that each node lists exactly these.
func (c *caller) wantTags(key *string, want tags) {
	c.Helper()
	for range c.clients {
		got := make(tags)
		for _, tag := range must(c, (*kms.Client).ListResourceTags, &kms.ListResourceTagsRequest{KeyId: key}).Body.Tags.Tag {
			got[tea.StringValue(tag.TagKey)] = tea.StringValue(tag.TagValue)
		}
		if !maps.Equal(got, want) {
			c.Errorf("tags %v, want %v", got, want)
		}
	}
}

// tagsOfSeveral sets and removes tags of keys together: TagResources, UntagResources, ListTagResources, with numbered
// parameters.
func tagsOfSeveral(c, _ *caller) {
	mark := randomHex(8)
	first, second := tea.String(c.newKey()), tea.String(c.newKey())
	both := slices.Sorted(slices.Values([]string{*first, *second}))
	for range c.clients {
		must(c, (*kms.Client).TagResources, &kms.TagResourcesRequest{
			RegionId: &c.region.ID, ResourceType: tea.String("key"), ResourceId: []*string{first, second},
			Tag: []*kms.TagResourcesRequestTag{{Key: tea.String("mark"), Value: &mark}, {Key: tea.String("empty"), Value: tea.String("")}}})
		c.wantTags(first, tags{"mark": mark, "empty": ""})
		c.wantTags(second, tags{"mark": mark, "empty": ""})
		c.wantTagged(both, nil, &kms.ListTagResourcesRequestTag{Key: tea.String("mark"), Value: &mark}, &kms.ListTagResourcesRequestTag{Key: tea.String("empty")})
		c.wantTagged(nil, []*string{first}, &kms.ListTagResourcesRequestTag{Key: tea.String("mark"), Value: tea.String("another")})
		must(c, (*kms.Client).UntagResources, &kms.UntagResourcesRequest{
			RegionId: &c.region.ID, ResourceType: tea.String("key"), ResourceId: []*string{first}, TagKey: []*string{tea.String("mark"), tea.String("never.there")}})
		c.wantTags(first, tags{"empty": ""})
		c.wantTagged([]string{*second}, nil, &kms.ListTagResourcesRequestTag{Key: tea.String("mark"), Value: &mark})
		must(c, (*kms.Client).UntagResources, &kms.UntagResourcesRequest{
			RegionId: &c.region.ID, ResourceType: tea.String("key"), ResourceId: []*string{first, second}, All: tea.Bool(true)})
		c.wantTags(second, tags{})
		c.wantTagged(nil, []*string{first, second})
	}
	refused(c, (*kms.Client).TagResources, &kms.TagResourcesRequest{
		RegionId: &c.region.ID, ResourceType: tea.String("key"), ResourceId: []*string{first, tea.String(noKey)},
		Tag: []*kms.TagResourcesRequestTag{{Key: tea.String("mark"), Value: &mark}}}, http.StatusNotFound, "Forbidden.KeyNotFound")
	c.wantTags(first, tags{})
}

// wantTagged insists that each node lists rows of exactly these keys.
func (c *caller) wantTagged(want []string, keys []*string, with ...*kms.ListTagResourcesRequestTag) {
	c.Helper()
	for range c.clients {
		request := &kms.ListTagResourcesRequest{RegionId: &c.region.ID, ResourceType: tea.String("key"), ResourceId: keys, Tag: with}
		var got []string
		for _, row := range must(c, (*kms.Client).ListTagResources, request).Body.TagResources.TagResource {
			got = append(got, tea.StringValue(row.ResourceId))
		}
		slices.Sort(got)
		if got = slices.Compact(got); !slices.Equal(got, want) {
			c.Errorf("rows of the keys %v, want %v", got, want)
		}
	}
}
