package api

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"meridian/store/storepb"
)

// Limits of the tags of one key; characters, not bytes.
const (
	maxTags          = 20
	maxTagKeyChars   = 128
	maxTagValueChars = 128
)

// reservedTagPrefixes are the starts of tag keys that belong to the public service.
var reservedTagPrefixes = []string{"aliyun", "acs:"}

// parseTags reads [{"TagKey":"k","TagValue":"v"}].
func parseTags(text string) ([]*storepb.Tag, error) {
	const name = "Tags"
	if text == "" {
		return nil, nil
	}
	var rows []map[string]any
	if err := json.Unmarshal([]byte(text), &rows); err != nil || rows == nil {
		return nil, errInvalid(name, `it must be a JSON list of {"TagKey":...,"TagValue":...}`)
	}
	if len(rows) > maxTags {
		return nil, errInvalid(name, "it has more than "+decimal(maxTags)+" tags")
	}
	tags := make([]*storepb.Tag, len(rows))
	seen := make(map[string]bool, len(rows))
	for i, row := range rows {
		tag, fault := parseTag(row)
		if fault == "" && seen[tag.Key] {
			fault = "its TagKey is given twice"
		}
		if fault != "" {
			return nil, errInvalid(name, "tag "+decimal(int64(i+1))+": "+fault)
		}
		seen[tag.Key] = true
		tags[i] = tag
	}
	return tags, nil
}

// parseTag reads one tag and says what is wrong with it.
func parseTag(row map[string]any) (*storepb.Tag, string) {
	for member := range row {
		if member != "TagKey" && member != "TagValue" {
			return nil, "only TagKey and TagValue belong in it"
		}
	}
	key, _ := row["TagKey"].(string)
	value, ok := row["TagValue"].(string)
	if !ok && row["TagValue"] != nil {
		return nil, "TagValue must be a text"
	}
	if fault := tagFault(key, value); fault != "" {
		return nil, fault
	}
	return &storepb.Tag{Key: key, Value: value}, ""
}

func runes(text string) int { return utf8.RuneCountInString(text) }

func isTagText(text string) bool {
	for _, r := range text {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(`/\_-.+=:@`, r) {
			return false
		}
	}
	return true
}
