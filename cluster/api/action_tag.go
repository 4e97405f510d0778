package api

import (
	"context"
	"encoding/json"

	"meridian/crypto"
	"meridian/store/storepb"
)

func handleTagResource(ctx context.Context, c *Call) error {
	tags, err := parseTags(c.Params.value("Tags"))
	if err != nil {
		return err
	}
	if len(tags) == 0 {
		return errInvalid("Tags", "it holds no tag")
	}
	id, err := c.taggedKey()
	if err != nil {
		return err
	}
	return c.tagKeys(ctx, []crypto.KeyID{id}, tags)
}

func handleTagResources(ctx context.Context, c *Call) error {
	tags, err := c.numberedTags()
	if err != nil {
		return err
	}
	ids, err := c.resourceKeys()
	if err != nil {
		return err
	}
	return c.tagKeys(ctx, ids, tagsOf(tags))
}

func handleUntagResource(ctx context.Context, c *Call) error {
	keys, err := parseTagKeys(c.Params.value("TagKeys"))
	if err != nil {
		return err
	}
	id, err := c.taggedKey()
	if err != nil {
		return err
	}
	return c.untagKeys(ctx, []crypto.KeyID{id}, keys, false)
}

func handleUntagResources(ctx context.Context, c *Call) error {
	keys, err := c.Params.numbered("TagKey", maxTags)
	if err != nil {
		return err
	}
	for i, key := range keys {
		if fault := tagKeyFault(key); fault != "" {
			return errInvalid("TagKey."+decimal(int64(i+1)), fault)
		}
	}
	all := isTrue(c.Params.value("All")) && len(keys) == 0
	if len(keys) == 0 && !all {
		return errMissing("TagKey.1")
	}
	ids, err := c.resourceKeys()
	if err != nil {
		return err
	}
	return c.untagKeys(ctx, ids, keys, all)
}

// taggedKey returns the one key that the request is about, allowed.
func (c *Call) taggedKey() (crypto.KeyID, error) {
	if c.Params.value(paramKeyID) == "" {
		return crypto.KeyID{}, errMissing(paramKeyID)
	}
	return c.writtenKey(paramKeyID, c.Action.RAM[0])
}

func (c *Call) tagKeys(ctx context.Context, ids []crypto.KeyID, tags []*storepb.Tag) error {
	body := &storepb.TagKeys{KeyIds: manyIDs(ids), Tags: tags, Limit: maxTags}
	return c.proposeForKeys(ctx, &storepb.Command{Body: &storepb.Command_TagKeys{TagKeys: body}})
}

func (c *Call) untagKeys(ctx context.Context, ids []crypto.KeyID, tagKeys []string, all bool) error {
	body := &storepb.UntagKeys{KeyIds: manyIDs(ids), TagKeys: tagKeys, All: all}
	return c.proposeForKeys(ctx, &storepb.Command{Body: &storepb.Command_UntagKeys{UntagKeys: body}})
}

// proposeForKeys proposes a command about several keys: the result says which of them refused.
func (c *Call) proposeForKeys(ctx context.Context, command *storepb.Command) error {
	_, err := c.propose(ctx, command, subject{keyOfResult: true})
	return err
}

func manyIDs(ids []crypto.KeyID) (all [][]byte) {
	for _, id := range ids {
		all = append(all, idBytes(id))
	}
	return all
}

// parseTagKeys reads ["k"].
func parseTagKeys(text string) ([]string, error) {
	const name = "TagKeys"
	var keys []*string
	if err := json.Unmarshal([]byte(text), &keys); err != nil || len(keys) == 0 {
		return nil, errInvalid(name, "it must be a JSON list of tag keys")
	}
	if len(keys) > maxTags {
		return nil, errInvalid(name, "it has more than "+decimal(maxTags)+" tag keys")
	}
	all := make([]string, len(keys))
	for i, key := range keys {
		fault := "it must be a text"
		if key != nil {
			all[i], fault = *key, tagKeyFault(*key)
		}
		if fault != "" {
			return nil, errInvalid(name, "entry "+decimal(int64(i+1))+": "+fault)
		}
	}
	return all, nil
}
