package api

import (
	"errors"
	"strings"

	"meridian/crypto"
	"meridian/store"
)

const (
	arnPrefix   = "acs:kms:"
	aliasPrefix = "alias/"
	keyPrefix   = "key/"
	// maxAliasChars bounds what follows alias/ (API page CreateAlias, 2018).
	maxAliasChars = 255
)

// keyName is what a text that should name a key turned out to be.
type keyName struct {
	kind   nameKind
	id     crypto.KeyID // nameID
	alias  string       // nameAlias: with its prefix
	text   string       // as written
	region string       // nameElsewhere: the region of the ARN
}

type nameKind uint8

const (
	nameNothing   nameKind = iota // no form that names anything
	nameID                        // a key id, or the ARN of one
	nameAlias                     // an alias, or the ARN of one, of any characters
	nameElsewhere                 // an ARN of another region
	nameForeign                   // an ARN of another account
)

// parseKeyName reads a key id, key ARN, alias or alias ARN of the given region and account.
func parseKeyName(text, region, account string) keyName {
	name := keyName{text: text}
	rest := text
	if arn, ok := strings.CutPrefix(text, arnPrefix); ok {
		arnRegion, after, ok1 := strings.Cut(arn, ":")
		arnAccount, resource, ok2 := strings.Cut(after, ":")
		isID := strings.HasPrefix(resource, keyPrefix)
		if !ok1 || !ok2 || !isID && !strings.HasPrefix(resource, aliasPrefix) {
			return name
		}
		switch {
		case arnRegion != region:
			name.kind, name.region = nameElsewhere, arnRegion
			return name
		case arnAccount != account:
			name.kind = nameForeign
			return name
		}
		rest = strings.TrimPrefix(resource, keyPrefix)
		if isID && strings.HasPrefix(rest, aliasPrefix) {
			return name // key/alias/...
		}
	}
	if strings.HasPrefix(rest, aliasPrefix) {
		name.kind, name.alias = nameAlias, rest
		return name
	}
	if id, ok := crypto.ParseKeyID(rest); ok {
		name.kind, name.id = nameID, id
	}
	return name
}

// isAlias reports whether a text has the form of an alias or of the ARN of one.
func isAlias(text string) bool {
	if arn, ok := strings.CutPrefix(text, arnPrefix); ok {
		_, after, _ := strings.Cut(arn, ":")
		_, text, _ = strings.Cut(after, ":")
	}
	return strings.HasPrefix(text, aliasPrefix)
}

// isAliasName applies ^alias/[A-Za-z0-9_/-]{1,255}$.
func isAliasName(text string) bool {
	name, ok := strings.CutPrefix(text, aliasPrefix)
	if !ok || name == "" || len(name) > maxAliasChars {
		return false
	}
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '/', c == '-':
		default:
			return false
		}
	}
	return true
}

// keyName reads the parameter that names a key.
func (c *Call) keyName(param string) keyName {
	return parseKeyName(c.Params.value(param), c.server.cfg.RegionID, c.server.cfg.Account)
}

// findKey finds the key that a parameter names and judges the permission on it. Alias and key come from the one view.
// If there is none the permission is judged on the name as written, so that only who would be allowed learns of it.
func (c *Call) findKey(v *store.View, param string, need Permission) (*store.Key, error) {
	name := c.keyName(param)
	id := name.id
	switch name.kind {
	case nameAlias:
		var err error
		if id, err = c.aliasTarget(v, name.alias, need.Action); err != nil {
			return nil, err
		}
		if c.authorizeKey(need.Action, id) != nil {
			return nil, c.errDenied(need.Action, c.arn("", name.alias)) // as if there were no such alias
		}
		return c.existingKey(v, id)
	case nameID:
	default:
		return nil, c.nameRefusal(name, param, need.Action)
	}
	return c.keyByID(v, id, need.Action)
}

// keyByID finds a key and judges the permission on it, whether it exists or not.
func (c *Call) keyByID(v *store.View, id crypto.KeyID, action string) (*store.Key, error) {
	if err := c.authorizeKey(action, id); err != nil {
		return nil, err
	}
	return c.existingKey(v, id)
}

func (c *Call) existingKey(v *store.View, id crypto.KeyID) (*store.Key, error) {
	k, err := v.Key(id)
	if errors.Is(err, store.ErrKeyNotFound) {
		return nil, c.errKeyNotFound(id.String())
	}
	return k, err
}

// aliasTarget finds the key behind an alias. Where there is none, permission is judged on the alias.
func (c *Call) aliasTarget(v *store.View, alias, action string) (crypto.KeyID, error) {
	err := store.ErrAliasNotFound
	var id crypto.KeyID
	if isAliasName(alias) {
		id, err = v.Alias(alias)
	}
	if errors.Is(err, store.ErrAliasNotFound) {
		if denied := c.authorizeAlias(action, alias); denied != nil {
			return id, denied
		}
		return id, c.errAliasNotFound(alias)
	}
	return id, err
}

// writtenKey returns the id that a parameter of a write names, which takes no alias, and judges the permission on it.
// Whether the key exists is decided when the command is applied.
func (c *Call) writtenKey(param string, need Permission) (crypto.KeyID, error) {
	name := c.keyName(param)
	if name.kind != nameID {
		return name.id, c.nameRefusal(name, param, need.Action)
	}
	if err := c.authorizeKey(need.Action, name.id); err != nil {
		return name.id, err
	}
	return name.id, nil
}

// nameRefusal is the answer to a name that can be of no key of this region, judged as written first.
func (c *Call) nameRefusal(name keyName, param, action string) error {
	if name.kind == nameElsewhere {
		return newError(CodeInvalidParameterWrongRegion, param, quoted(name.region), c.server.cfg.RegionID)
	}
	resource := name.text
	if name.kind == nameNothing {
		resource = c.arn(keyPrefix, name.text)
	}
	if err := c.authorize(action, resource); err != nil {
		return err
	}
	return c.errKeyNotFound(name.text)
}

// quoted shows a text that came from outside: as it is if it looks like a region id, else in quotes.
func quoted(text string) string {
	if isRegionID(text) {
		return text
	}
	return `"` + text + `"`
}

// isRegionID reports whether a text has the form of a region id such as cn-hangzhou.
func isRegionID(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return text != "" && len(text) <= 64
}

// arn appends kind and name to the account's prefix: acs:kms:REGION:ACCOUNT:kind name.
func (c *Call) arn(kind, name string) string {
	return arnPrefix + c.server.cfg.RegionID + ":" + c.server.cfg.Account + ":" + kind + name
}

// keyARN is the ARN of a key, in the scratch space of the request: valid until the action returns.
func (c *Call) keyARN(id crypto.KeyID) string {
	region, account := c.server.cfg.RegionID, c.server.cfg.Account
	b := c.Scratch(len(arnPrefix) + len(region) + len(account) + len("::") + len(keyPrefix) + keyIDChars)
	b = append(b, arnPrefix...)
	b = append(b, region...)
	b = append(b, ':')
	b = append(b, account...)
	b = append(b, ':')
	b = append(b, keyPrefix...)
	return stringOf(id.AppendTo(b))
}

// keyIDChars is the length of a UUID as text.
const keyIDChars = 36

func (c *Call) errKeyNotFound(id string) *Error {
	return newError(CodeForbiddenKeyNotFound, id, c.server.cfg.RegionID)
}

func (c *Call) errAliasNotFound(alias string) *Error {
	return newError(CodeForbiddenAliasNotFound, alias, c.server.cfg.RegionID)
}
