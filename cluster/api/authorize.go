package api

import "meridian/crypto"

// authorize judges whether the caller may do action on a resource, and answers with what the caller may be told if not:
// nothing about whether the resource exists.
func (c *Call) authorize(action, resource string) error {
	if c.server.cfg.Identities.Authorize(c.Identity, action, resource) {
		return nil
	}
	return c.errDenied(action, resource)
}

func (c *Call) errDenied(action, resource string) error {
	if c.dryRun() {
		return newError(CodeAccessDeniedError, c.Identity.Principal, action)
	}
	return newError(CodeForbiddenNoPermission, c.Identity.Principal, action, resource)
}

// authorizeKey judges action on one key.
func (c *Call) authorizeKey(action string, id crypto.KeyID) error {
	return c.authorize(action, c.keyARN(id))
}

// authorizeAlias judges action on one alias, named with its prefix.
func (c *Call) authorizeAlias(action, alias string) error {
	return c.authorize(action, c.arn("", alias))
}

// authorizeContainer judges the action's one permission, which is on a container of keys or aliases, or on everything.
func (c *Call) authorizeContainer() error {
	need := c.Action.RAM[0]
	switch need.Resource {
	case ResourceAll:
		return c.authorize(need.Action, "*")
	case ResourceAliases:
		return c.authorize(need.Action, c.arn("alias", ""))
	}
	return c.authorize(need.Action, c.arn("key", ""))
}
