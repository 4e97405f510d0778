package api

import (
	"strings"

	"meridian/crypto"
	"meridian/store/storepb"
)

// maxTaggedKeys is how many resources one call may name (API page TagResources).
const maxTaggedKeys = 50

// numbered reads NAME.1, NAME.2 and so on, in order: a gap, an empty value and anything else that starts with NAME. are
// refused. A list that is not there is empty.
func (p Params) numbered(name string, most int64) ([]string, error) {
	sent := p.Prefix(name + ".")
	if int64(len(sent)) > most {
		return nil, errInvalid(name, "it has more than "+decimal(most)+" entries")
	}
	values := make([]string, len(sent))
	for i := range values {
		entry := name + "." + decimal(int64(i+1))
		value, ok := p.Get(entry)
		if !ok {
			return nil, errInvalid(name, "its entries must be "+name+".1 to "+entry+", without a gap")
		}
		if values[i] = value; value == "" {
			return nil, errInvalid(entry, "it is empty")
		}
	}
	return values, nil
}

// tagParam is one of Tag.N.Key and Tag.N.Value.
type tagParam struct {
	key, value string
	hasValue   bool
}

// numberedTags reads Tag.1.Key, Tag.1.Value and so on. Fields other than these, and gaps, are refused.
func (c *Call) numberedTags() ([]tagParam, error) {
	const name = "Tag"
	var tags []tagParam
	used := 0
	for i := int64(1); ; i++ {
		entry := name + "." + decimal(i)
		key, hasKey := c.Params.Get(entry + ".Key")
		value, hasValue := c.Params.Get(entry + ".Value")
		if !hasKey && !hasValue {
			break
		}
		if i > maxTags {
			return nil, errInvalid(name, "it has more than "+decimal(maxTags)+" tags")
		}
		if fault := tagFault(key, value); fault != "" {
			return nil, errInvalid(entry, fault)
		}
		tags = append(tags, tagParam{key, value, hasValue && value != ""})
		used++
		if hasKey && hasValue {
			used++
		}
	}
	if used != len(c.Params.Prefix(name+".")) {
		return nil, errInvalid(name, "its entries must be Tag.1.Key, Tag.1.Value and so on, without a gap")
	}
	seen := make(map[string]bool, len(tags))
	for i, tag := range tags {
		if seen[tag.key] {
			return nil, errInvalid(name+"."+decimal(int64(i+1))+".Key", "it is given twice")
		}
		seen[tag.key] = true
	}
	return tags, nil
}

// tagsOf are tags as commands hold them.
func tagsOf(tags []tagParam) (all []*storepb.Tag) {
	for _, tag := range tags {
		all = append(all, &storepb.Tag{Key: tag.key, Value: tag.value})
	}
	return all
}

// resourceKeys reads ResourceId.N, which name keys by id or ARN, and judges the permission on each. A key that is named
// twice counts once.
func (c *Call) resourceKeys() (ids []crypto.KeyID, err error) {
	if err := c.onlyKeys(); err != nil {
		return nil, err
	}
	texts, err := c.Params.numbered("ResourceId", maxTaggedKeys)
	if err != nil {
		return nil, err
	}
	seen := make(map[crypto.KeyID]bool, len(texts))
	for i, text := range texts {
		name := parseKeyName(text, c.server.cfg.RegionID, c.server.cfg.Account)
		param := "ResourceId." + decimal(int64(i+1))
		if fault := textFault(text, maxKeyIDChars); fault != "" {
			return nil, errInvalid(param, fault)
		}
		switch {
		case name.kind == nameAlias:
			return nil, errInvalid(param, "it must be a key id or key ARN, not an alias")
		case name.kind != nameID:
			return nil, c.nameRefusal(name, param, c.Action.RAM[0].Action)
		}
		if err := c.authorizeKey(c.Action.RAM[0].Action, name.id); err != nil {
			return nil, err
		}
		if !seen[name.id] {
			seen[name.id] = true
			ids = append(ids, name.id)
		}
	}
	return ids, nil
}

// onlyKeys refuses resources of other types.
func (c *Call) onlyKeys() error {
	if c.Params.value("ResourceType") != "key" {
		return errInvalid("ResourceType", "secrets are not served here; key is")
	}
	return nil
}

// tagFault says what is wrong with a tag, empty if nothing is.
func tagFault(key, value string) string {
	if fault := tagKeyFault(key); fault != "" {
		return fault
	}
	switch {
	case runes(value) > maxTagValueChars:
		return "the value must have at most " + decimal(maxTagValueChars) + " characters"
	case !isTagText(value):
		return tagCharacters
	}
	return ""
}

// tagKeyFault says what is wrong with a tag key, empty if nothing is.
func tagKeyFault(key string) string {
	switch n := runes(key); {
	case n == 0 || n > maxTagKeyChars:
		return "the key must have 1 to " + decimal(maxTagKeyChars) + " characters"
	case !isTagText(key):
		return tagCharacters
	}
	for _, reserved := range reservedTagPrefixes {
		if strings.HasPrefix(key, reserved) {
			return "the key must not start with " + strings.Join(reservedTagPrefixes, " or ")
		}
	}
	return ""
}

const tagCharacters = `only letters, digits and / \ _ - . + = : @ are allowed`
