package api

import (
	"context"

	"meridian/crypto"
	"meridian/store"
)

const (
	// paramNextToken goes on where an answer ended.
	paramNextToken = "NextToken"
	// tagRows is how many rows ListTagResources answers with.
	tagRows = 200
	// tagScan is how many keys it looks at for one answer, tens of milliseconds of work at the most: an answer to a rare tag
	// may hold no row but a NextToken.
	tagScan = 1000
)

func handleListResourceTags(ctx context.Context, c *Call) error {
	return c.read(ctx, func(v *store.View) error {
		k, err := c.findKey(v, paramKeyID, c.Action.RAM[0])
		if err != nil {
			return err
		}
		tags, err := v.Tags(k.ID)
		if err != nil {
			return err
		}
		c.Answer.List("Tags", "Tag")
		for _, tag := range tags {
			c.Answer.Item()
			c.Answer.Text("KeyId", k.ID.String())
			c.Answer.Text("TagKey", tag.Key)
			c.Answer.Text("TagValue", tag.Value)
			c.Answer.EndItem()
		}
		c.Answer.EndList()
		return nil
	})
}

func handleListTagResources(ctx context.Context, c *Call) error {
	query, err := c.tagQuery()
	if err != nil {
		return err
	}
	return c.read(ctx, func(v *store.View) error {
		rows, next, more, err := v.TagRows(query)
		if err != nil {
			return err
		}
		c.Answer.List("TagResources", "TagResource")
		for _, row := range rows {
			if c.authorizeKey(c.Action.RAM[0].Action, row.KeyID) != nil {
				continue // its tags are not for this caller
			}
			c.Answer.Item()
			c.Answer.Text("ResourceId", row.KeyID.String())
			c.Answer.Text("ResourceType", "key")
			c.Answer.Text("TagKey", row.Key)
			c.Answer.Text("TagValue", row.Value)
			c.Answer.EndItem()
		}
		c.Answer.EndList()
		if !more {
			return nil
		}
		token, err := c.tagToken(next)
		if err != nil {
			return err
		}
		c.Answer.Text(paramNextToken, token)
		return nil
	})
}

// tagQuery reads which rows are asked for.
func (c *Call) tagQuery() (q store.TagQuery, err error) {
	if err := c.onlyKeys(); err != nil {
		return q, err
	}
	if q.From, err = c.parseTagToken(c.Params.value(paramNextToken)); err != nil {
		return q, err
	}
	tags, err := c.numberedTags()
	if err != nil {
		return q, err
	}
	for _, tag := range tags {
		q.Have = append(q.Have, store.TagMatch{Tag: store.Tag{Key: tag.key, Value: tag.value}, AnyValue: !tag.hasValue})
	}
	if q.Keys, err = c.listedKeys(); err != nil {
		return q, err
	}
	q.Limit, q.Scan = tagRows, tagScan
	return q, nil
}

// listedKeys reads the keys whose rows are asked for; nil: all keys. A text that names no key of this region has no rows.
func (c *Call) listedKeys() ([]crypto.KeyID, error) {
	texts, err := c.Params.numbered("ResourceId", maxTaggedKeys)
	if err != nil || len(texts) == 0 {
		return nil, err
	}
	ids := []crypto.KeyID{}
	for i, text := range texts {
		if fault := textFault(text, maxKeyIDChars); fault != "" {
			return nil, errInvalid("ResourceId."+decimal(int64(i+1)), fault)
		}
		if name := parseKeyName(text, c.server.cfg.RegionID, c.server.cfg.Account); name.kind == nameID {
			ids = append(ids, name.id)
		}
	}
	return ids, nil
}
