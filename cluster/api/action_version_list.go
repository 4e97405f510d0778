package api

import (
	"context"
	"errors"

	"meridian/crypto"
	"meridian/store"
)

func handleDescribeKeyVersion(ctx context.Context, c *Call) error {
	return c.read(ctx, func(v *store.View) error {
		k, err := c.findKey(v, paramKeyID, c.Action.RAM[0])
		if err != nil {
			return err
		}
		version, err := c.findVersion(v, k.ID, paramKeyVersionID)
		if err != nil {
			return err
		}
		c.Answer.Object("KeyVersion")
		c.answerVersion(k.ID, version.ID, version.Created)
		c.Answer.End()
		return nil
	})
}

// paramKeyVersionID names a version of the key that KeyId names.
const paramKeyVersionID = "KeyVersionId"

// findVersion finds the version of a key that a parameter names.
func (c *Call) findVersion(v *store.View, id crypto.KeyID, param string) (*store.Version, error) {
	text := c.Params.value(param)
	version, ok := crypto.ParseVersionID(text)
	if !ok {
		return nil, newError(CodeForbiddenKeyVersionNotFound, id, shorten(text))
	}
	found, err := v.Version(id, version)
	if errors.Is(err, store.ErrVersionNotFound) {
		return nil, newError(CodeForbiddenKeyVersionNotFound, id, version)
	}
	return found, err
}

func handleListKeyVersions(ctx context.Context, c *Call) error {
	p := c.page()
	return c.read(ctx, func(v *store.View) error {
		k, err := c.findKey(v, paramKeyID, c.Action.RAM[0])
		if err != nil {
			return err
		}
		versions, err := v.Versions(k.ID)
		if err != nil {
			return err
		}
		from := min(p.offset(), len(versions))
		c.Answer.List("KeyVersions", "KeyVersion")
		for _, version := range versions[from:min(from+int(p.size), len(versions))] {
			c.Answer.Item()
			c.answerVersion(k.ID, version.ID, version.Created)
			c.Answer.EndItem()
		}
		c.Answer.EndList()
		c.answerPage(p, len(versions))
		return nil
	})
}
