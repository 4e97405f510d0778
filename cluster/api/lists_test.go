package api

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestListKeys(t *testing.T) {
	h := newHarness(t, Limits{})
	if r := h.ok(t, "ListKeys", nil); !strings.Contains(r.raw, `"Keys":{"Key":[]}`) || r.number("TotalCount") != 0 {
		t.Errorf("no keys: %s", r.raw)
	}
	if r := h.callBy(t, wire{method: "GET", xml: true}, "ListKeys", nil); !strings.Contains(r.raw, "<Keys></Keys>") {
		t.Errorf("no keys: %s", r.raw)
	}
	var all []string
	states := []string{"Enabled", "Disabled", "PendingDeletion", "PendingImport", "Enabled"}
	for i := range 25 {
		all = append(all, h.keyIn(t, states[i%len(states)]))
		h.clock.advance(time.Second)
	}
	page := func(p params) []string { return h.ok(t, "ListKeys", p).list("Keys", "Key", "KeyId") }
	if got := page(nil); !slices.Equal(got, all[:10]) {
		t.Errorf("first page %v", got)
	}
	if got := page(params{"PageNumber": "3"}); !slices.Equal(got, all[20:]) {
		t.Errorf("third page %v", got)
	}
	if got := page(params{"PageSize": "100"}); !slices.Equal(got, all) {
		t.Errorf("all: %v", got)
	}
	if got := page(params{"PageSize": "7", "PageNumber": "2"}); !slices.Equal(got, all[7:14]) {
		t.Errorf("second page of 7: %v", got)
	}
	for _, number := range []string{"4", "1000", "2147483647"} {
		r := h.ok(t, "ListKeys", params{"PageNumber": number, "PageSize": "10"})
		if len(r.list("Keys", "Key", "KeyId")) != 0 || r.number("TotalCount") != 25 || fmt.Sprint(r.number("PageNumber")) != number {
			t.Errorf("past the end: %s", r.raw)
		}
	}
	if arn := h.ok(t, "ListKeys", nil).list("Keys", "Key", "KeyArn")[0]; arn != "acs:kms:cn-hangzhou:1234567890123456:key/"+all[0] {
		t.Error(arn)
	}
	checkFilters(t, h, all)
}

func checkFilters(t *testing.T, h *harness, all []string) {
	every := func(start, step int) (ids []string) {
		for i := start; i < len(all); i += step {
			ids = append(ids, all[i])
		}
		return ids
	}
	enabled := slices.DeleteFunc(slices.Clone(all), func(id string) bool { i := slices.Index(all, id) % 5; return i != 0 && i != 4 })
	for filter, want := range map[string][]string{
		`[{"Key":"KeyState","Values":["Enabled"]}]`:                                                           enabled,
		`[{"Key":"KeyState","Values":["Disabled"]}]`:                                                          every(1, 5),
		`[{"Key":"KeyState","Values":["PendingImport","PendingImport"]}]`:                                     every(3, 5),
		`[{"Key":"KeyState","Values":["Unavailable"]}]`:                                                       {},
		`[{"Key":"KeyState","Values":["Disabled"]},{"Key":"KeySpec","Values":["Aliyun_AES_256","RSA_2048"]}]`: every(1, 5),
		`[{"Key":"KeyState","Values":["Disabled"]},{"Key":"KeyState","Values":["Enabled"]}]`:                  {},
		`[{"Key":"KeySpec","Values":["RSA_2048"]}]`:                                                           {},
		`[{"Key":"KeyUsage","Values":["ENCRYPT/DECRYPT"]},{"Key":"ProtectionLevel","Values":["SOFTWARE"]}]`:   all,
		`[{"Key":"CreatorType","Values":["User"]}]`:                                                           all,
		`[{"Key":"CreatorType","Values":["Service"]}]`:                                                        {},
		`[]`: all,
	} {
		r := h.ok(t, "ListKeys", params{"Filters": filter, "PageSize": "50"})
		if got := r.list("Keys", "Key", "KeyId"); !slices.Equal(got, want) || r.number("TotalCount") != len(want) {
			t.Errorf("%s: %d keys, total %d, want %d", filter, len(got), r.number("TotalCount"), len(want))
		}
	}
	r := h.ok(t, "ListKeys", params{"Filters": `[{"Key":"KeyState","Values":["Enabled"]}]`, "PageSize": "3", "PageNumber": "2"})
	if got := r.list("Keys", "Key", "KeyId"); !slices.Equal(got, enabled[3:6]) || r.number("TotalCount") != len(enabled) {
		t.Errorf("a page of a filtered list: %s", r.raw)
	}
	value := `"Enabled"`
	for _, bad := range []string{
		`{}`, `null`, `[null]`, `[1]`, `[{}]`, `[{"Key":"Color","Values":["red"]}]`, `[{"Key":"keystate","Values":["Enabled"]}]`, `[{"Key":"KeyState"}]`,
		`[{"Key":"KeyState","Values":[]}]`, `[{"Key":"KeyState","Values":"Enabled"}]`, `[{"Key":"KeyState","Values":[1]}]`, `[{"Key":"KeyState","Values":["Enabled"],"Not":true}]`,
		`[{"Key":"KeyState","Values":[` + strings.Repeat(value+",", 10) + value + `]}]`,
		`[` + strings.Repeat(`{"Key":"KeyState","Values":["Enabled"]},`, 10) + `{"Key":"KeyState","Values":["Enabled"]}]`, `[{"Key":"KeyState","Values":["Enabled"]}] x`,
	} {
		if r := h.fails(t, CodeInvalidParameter, "ListKeys", params{"Filters": bad}); !strings.Contains(r.message(), "Filters") {
			t.Errorf("%s: %s", bad, r.message())
		}
	}
}

func TestListAliases(t *testing.T) {
	h := newHarness(t, Limits{})
	first, second := h.newKey(t), h.newKey(t)
	for _, list := range []reply{h.ok(t, "ListAliases", nil), h.ok(t, "ListAliasesByKeyId", params{"KeyId": first})} {
		if !strings.Contains(list.raw, `"Aliases":{"Alias":[]}`) || list.number("TotalCount") != 0 {
			t.Errorf("no aliases: %s", list.raw)
		}
	}
	var all, ofFirst []string
	for i := range 24 {
		name, key := fmt.Sprintf("alias/n-%02d", (i*7)%24), second
		if i%3 == 0 {
			key = first
			ofFirst = append(ofFirst, name)
		}
		all = append(all, name)
		h.ok(t, "CreateAlias", params{"AliasName": name, "KeyId": key})
	}
	slices.Sort(all)
	slices.Sort(ofFirst)
	r := h.ok(t, "ListAliases", params{"PageSize": "9", "PageNumber": "2"})
	if got := r.list("Aliases", "Alias", "AliasName"); !slices.Equal(got, all[9:18]) || r.number("TotalCount") != 24 || r.number("PageSize") != 9 {
		t.Errorf("second page: %s", r.raw)
	}
	if arn := r.list("Aliases", "Alias", "AliasArn")[0]; arn != "acs:kms:cn-hangzhou:1234567890123456:"+all[9] {
		t.Error(arn)
	}
	r = h.ok(t, "ListAliasesByKeyId", params{"KeyId": first, "PageSize": "5"})
	if got := r.list("Aliases", "Alias", "AliasName"); !slices.Equal(got, ofFirst[:5]) || r.number("TotalCount") != len(ofFirst) {
		t.Errorf("aliases of a key: %s", r.raw)
	}
	for _, key := range r.list("Aliases", "Alias", "KeyId") {
		if key != first {
			t.Errorf("an alias of %s", key)
		}
	}
	if r := h.ok(t, "ListAliasesByKeyId", params{"KeyId": first, "PageNumber": "9"}); len(r.list("Aliases", "Alias", "AliasName")) != 0 || r.number("TotalCount") != len(ofFirst) {
		t.Errorf("past the end: %s", r.raw)
	}
}

func TestDescribeRegions(t *testing.T) {
	h := newHarness(t, Limits{})
	h.identity.Root = false // needs no permission
	if got := h.ok(t, "DescribeRegions", nil).list("Regions", "Region", "RegionId"); !slices.Equal(got, []string{testRegionID, "cn-shanghai-self"}) {
		t.Errorf("regions %v", got)
	}
}
