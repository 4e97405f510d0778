package api

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"meridian/cluster/access"
	"meridian/crypto"
	"meridian/store"
)

// Decoders of what callers send: none panics, and what they accept is what they say.

func FuzzDecodeBase64(f *testing.F) {
	for _, seed := range []string{"", "AA==", "AAA=", "AAAA", "AB==", "A===", "AA=\n=", "aGVsbG8=", "AAAA\r\n", "AAAA\n\n\n\n", "AA=\n=\n\n\n", "\r\n\r\nAA==", "=AAA", "AA==AAAA", "-_=="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n := decodedLen(text)
		got, ok := decodeBase64(make([]byte, 0, max(n, 0)), text)
		if !ok || n < 0 {
			return
		}
		if len(got) != n {
			t.Errorf("%q holds %d bytes, decodedLen says %d", text, len(got), n)
		}
		if base64.StdEncoding.EncodeToString(got) != text {
			t.Errorf("%q is not the one form of %x", text, got)
		}
	})
}

func TestDecodeBase64TakesEveryByte(t *testing.T) {
	for size := range 70 {
		want := bytes.Repeat([]byte{0xfb, 0xff, 0x3e}, size)[:size]
		text := base64.StdEncoding.EncodeToString(want)
		got, ok := decodeBase64(nil, text)
		if !ok || !bytes.Equal(got, want) || decodedLen(text) != size {
			t.Errorf("%q: %x, %v", text, got, ok)
		}
	}
}

func FuzzTags(f *testing.F) {
	for _, seed := range []string{`[]`, `[{"TagKey":"a","TagValue":"b"}]`, `[{"TagKey":"a"}]`, `[{"TagKey":"\ud800"}]`, `[null]`, `{}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tags, err := parseTags(text)
		if err != nil {
			return
		}
		if len(tags) > maxTags {
			t.Errorf("%d tags", len(tags))
		}
		for _, tag := range tags {
			if tag.Key == "" || textFault(tag.Key+tag.Value, 0) != "" {
				t.Errorf("tag %q = %q", tag.Key, tag.Value)
			}
		}
	})
}

func FuzzFilters(f *testing.F) {
	for _, seed := range []string{`[]`, `[{"Key":"KeyState","Values":["Enabled"]}]`, `[{"Key":"KeyState","Values":[null]}]`, `[[]]`, `null`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := parseFilters(text)
		if err == nil && len(list) > maxFilters {
			t.Errorf("%d filters", len(list))
		}
		for _, one := range list {
			if one.property == nil || len(one.values) == 0 || len(one.values) > maxFilterValues {
				t.Errorf("%q: a filter of %d values", text, len(one.values))
			}
		}
	})
}

func FuzzKeyPolicy(f *testing.F) {
	for _, seed := range []string{`{}`, `{"Version":"1","Statement":[{"Effect":"Allow","Principal":{"RAM":["a"]},"Action":"*","Resource":["*"]}]}`, `{"Version":1}`, `[]`, `null`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if kept, err := parseKeyPolicy(text); err == nil && kept != text {
			t.Errorf("%q is kept as %q", text, kept)
		}
	})
}

func FuzzDuration(f *testing.F) {
	for _, seed := range []string{"7d", "604800s", "168h", "10080m", "0d", "d", "", "9223372036854775807s", "99999999999999999999d"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if d, ok := parseDuration(text); ok && (d <= 0 || d > maxDurationSeconds*time.Second) {
			t.Errorf("%q is %v", text, d)
		}
	})
}

func FuzzNumberedTags(f *testing.F) {
	f.Add("1.Key=team&Tag.1.Value=orders&Tag.2.Key=x")
	f.Add("01.Key=a")
	f.Add("1.Key=a&Tag.1.Colour=red")
	f.Fuzz(func(t *testing.T, text string) {
		var p Params
		for i, pair := range strings.Split("Tag."+text, "&") {
			name, value, _ := strings.Cut(pair, "=")
			if _, twice := p.Get(name); !twice && i < 256 {
				p = append(p, Param{Name: name, Value: value})
				slices.SortFunc(p, func(a, b Param) int { return strings.Compare(a.Name, b.Name) })
			}
		}
		tags, err := (&Call{Params: p}).numberedTags()
		if err != nil {
			return
		}
		named := 0
		for i, tag := range tags {
			if tagFault(tag.key, tag.value) != "" || p.value("Tag."+decimal(int64(i+1))+".Key") != tag.key {
				t.Errorf("%q gives tag %q=%q", text, tag.key, tag.value)
			}
			named++
			if _, sent := p.Get("Tag." + decimal(int64(i+1)) + ".Value"); sent {
				named++
			}
		}
		if named != len(p.Prefix("Tag.")) || len(tags) > maxTags {
			t.Errorf("%q: %d of %d parameters are in %d tags", text, named, len(p.Prefix("Tag.")), len(tags))
		}
	})
}

func FuzzNumberedList(f *testing.F) {
	f.Add("1=a&TagKey.2=b")
	f.Add("0=a")
	f.Add("1=")
	f.Fuzz(func(t *testing.T, text string) {
		var p Params
		for _, pair := range strings.Split("TagKey."+text, "&") {
			name, value, _ := strings.Cut(pair, "=")
			if _, twice := p.Get(name); !twice {
				p = append(p, Param{Name: name, Value: value})
				slices.SortFunc(p, func(a, b Param) int { return strings.Compare(a.Name, b.Name) })
			}
		}
		values, err := p.numbered("TagKey", maxTags)
		if err == nil && (len(values) != len(p.Prefix("TagKey.")) || slices.Contains(values, "") || len(values) > maxTags) {
			t.Errorf("%q gives %q", text, values)
		}
	})
}

func FuzzTagKeys(f *testing.F) {
	f.Add(`["team","x"]`)
	f.Add(`[null]`)
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := parseTagKeys(text)
		if err == nil && (len(keys) == 0 || len(keys) > maxTags || slices.ContainsFunc(keys, func(key string) bool { return tagKeyFault(key) != "" })) {
			t.Errorf("%q gives %q", text, keys)
		}
	})
}

// Only what was made for the same caller and query opens, and a place has one way to be written.
func FuzzTagToken(f *testing.F) {
	keyring, err := crypto.GenerateKeyring()
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(keyring.Close)
	c := &Call{
		Action: kmsByName["ListTagResources"], Identity: &access.Identity{Principal: "acs:ram::1:root"},
		server: &Server{cfg: Config{Region: &testRegion{keyring: keyring}, RegionID: testRegionID}},
	}
	made := store.TagPosition{KeyID: crypto.KeyID{1}, TagKey: "team"}
	token, err := c.tagToken(made)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(token)
	f.Add(token + "\n")
	f.Add("AAAA")
	place, err := appendTagPlace(nil, made)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(place))
	f.Fuzz(func(t *testing.T, text string) {
		at, err := c.parseTagToken(text)
		if err == nil && text != "" && (text != token || at != made) {
			t.Errorf("%q was taken for %v", text, at)
		}
		if at, err = parseTagPlace([]byte(text)); err != nil {
			return
		}
		again, err := appendTagPlace(nil, at)
		if err != nil || len(again) != len(text) || string(again[:tagPlaceHead+len(at.TagKey)]) != text[:tagPlaceHead+len(at.TagKey)] {
			t.Errorf("%q is written %q, %v", text, again, err)
		}
	})
}
