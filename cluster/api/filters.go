package api

import (
	"encoding/json"
	"slices"
	"time"

	"meridian/store"
)

// Limits of the filters of ListKeys.
const (
	maxFilters      = 10
	maxFilterValues = 10
)

// filters narrows ListKeys: a key must pass every one of them.
type filters []filter

// filter lets a key pass whose property has one of the values.
type filter struct {
	property func(*store.Key, time.Time) string
	values   []string
}

// filterProperties are the properties that a filter may name.
var filterProperties = map[string]func(k *store.Key, now time.Time) string{
	"KeyState":        func(k *store.Key, now time.Time) string { return k.StateAt(now).String() },
	"KeySpec":         func(k *store.Key, _ time.Time) string { return k.Spec },
	"KeyUsage":        func(k *store.Key, _ time.Time) string { return k.Usage },
	"ProtectionLevel": func(k *store.Key, _ time.Time) string { return k.ProtectionLevel },
	"CreatorType":     func(*store.Key, time.Time) string { return "User" }, // no service makes keys here
}

// parseFilters reads [{"Key":"KeyState","Values":["Enabled"]}].
func parseFilters(text string) (filters, error) {
	const name = "Filters"
	if text == "" {
		return nil, nil
	}
	var rows []map[string]any
	if err := json.Unmarshal([]byte(text), &rows); err != nil || rows == nil {
		return nil, errInvalid(name, `it must be a JSON list of {"Key":...,"Values":[...]}`)
	}
	if len(rows) > maxFilters {
		return nil, errInvalid(name, "it has more than "+decimal(maxFilters)+" entries")
	}
	list := make(filters, len(rows))
	for i, row := range rows {
		fault := ""
		if list[i], fault = parseFilter(row); fault != "" {
			return nil, errInvalid(name, "entry "+decimal(int64(i+1))+": "+fault)
		}
	}
	return list, nil
}

// parseFilter reads one entry and says what is wrong with it.
func parseFilter(row map[string]any) (f filter, fault string) {
	for member := range row {
		if member != "Key" && member != "Values" {
			return f, "only Key and Values belong in it"
		}
	}
	key, _ := row["Key"].(string)
	if f.property = filterProperties[key]; f.property == nil {
		return f, "Key must be KeyState, KeySpec, KeyUsage, ProtectionLevel or CreatorType"
	}
	values, ok := row["Values"].([]any)
	if !ok || len(values) == 0 || len(values) > maxFilterValues {
		return f, "Values must be a list of 1 to " + decimal(maxFilterValues) + " texts"
	}
	for _, v := range values {
		text, ok := v.(string)
		if !ok {
			return f, "Values must be texts"
		}
		f.values = append(f.values, text)
	}
	return f, ""
}

// match is the predicate for the store, for keys as they are now; nil if every key passes, so that no key is read for nothing.
func (fs filters) match(now time.Time) func(*store.Key) bool {
	if len(fs) == 0 {
		return nil
	}
	return func(k *store.Key) bool {
		for _, f := range fs {
			if !slices.Contains(f.values, f.property(k, now)) {
				return false
			}
		}
		return true
	}
}
