package store

import (
	"google.golang.org/protobuf/proto"

	"meridian/crypto"
	"meridian/store/internal/record"
	"meridian/store/storepb"
)

// maxNameBytes bounds aliases, tag keys and node ids well inside what a bbolt
// key may hold. The API allows 255 characters after "alias/".
const maxNameBytes = 1024

func checkAliasName(name string) error {
	if name == "" || len(name) > maxNameBytes {
		return invalid("alias name of %d bytes", len(name))
	}
	return nil
}

// createAlias gives a key a name.
func (a *applier) createAlias(c *storepb.CreateAlias) (*storepb.Result, error) {
	if err := checkAliasName(c.Name); err != nil {
		return nil, err
	}
	id, err := a.aliasTarget(c.KeyId)
	if err != nil {
		return nil, err
	}
	if _, found, err := a.tables[record.Aliases].get([]byte(c.Name)); err != nil {
		return nil, err
	} else if found {
		return nil, refuse(storepb.Code_ALIAS_EXISTS)
	}
	if c.Limit != 0 && a.state.Aliases >= c.Limit {
		return nil, refuseLimit("aliases", c.Limit)
	}
	a.state.Aliases++
	a.memos.aliases.touch(c.Name, a.index)
	if err := a.put(record.Aliases, []byte(c.Name), &storepb.AliasRecord{KeyId: id[:], CreatedMs: a.stamp}); err != nil {
		return nil, err
	}
	if err := a.put(record.AliasNames, record.AliasNameKey([]byte(c.Name)), nil); err != nil {
		return nil, err
	}
	if err := a.put(record.KeyAliases, record.Under(id, c.Name), nil); err != nil {
		return nil, err
	}
	return &storepb.Result{Code: storepb.Code_OK}, nil
}

// updateAlias points a name at another key. The state of the old one does not
// matter.
func (a *applier) updateAlias(c *storepb.UpdateAlias) (*storepb.Result, error) {
	old, oldID, err := a.alias(c.Name)
	if err != nil {
		return nil, err
	}
	id, err := a.aliasTarget(c.KeyId)
	if err != nil {
		return nil, err
	}
	if id != oldID {
		alias := proto.CloneOf(old)
		alias.KeyId, alias.UpdatedMs = id[:], a.stamp
		a.memos.aliases.touch(c.Name, a.index)
		if err := a.put(record.Aliases, []byte(c.Name), alias); err != nil {
			return nil, err
		}
		if err := a.remove(record.KeyAliases, record.Under(oldID, c.Name)); err != nil {
			return nil, err
		}
		if err := a.put(record.KeyAliases, record.Under(id, c.Name), nil); err != nil {
			return nil, err
		}
	}
	return &storepb.Result{Code: storepb.Code_OK, AliasKeyId: oldID[:]}, nil
}

// deleteAlias removes a name. The key stays.
func (a *applier) deleteAlias(c *storepb.DeleteAlias) (*storepb.Result, error) {
	_, id, err := a.alias(c.Name)
	if err != nil {
		return nil, err
	}
	if err := a.removeAlias(id, c.Name); err != nil {
		return nil, err
	}
	return &storepb.Result{Code: storepb.Code_OK, AliasKeyId: id[:]}, nil
}

// alias reads an alias record for a command.
func (a *applier) alias(name string) (*storepb.AliasRecord, crypto.KeyID, error) {
	if err := checkAliasName(name); err != nil {
		return nil, crypto.KeyID{}, err
	}
	alias := new(storepb.AliasRecord)
	found, err := a.tables[record.Aliases].load([]byte(name), alias)
	if err != nil {
		return nil, crypto.KeyID{}, err
	}
	if !found {
		return nil, crypto.KeyID{}, refuse(storepb.Code_ALIAS_NOT_FOUND)
	}
	if len(alias.KeyId) != record.IDBytes {
		return nil, crypto.KeyID{}, damaged("alias %s has a key id of %d bytes", name, len(alias.KeyId))
	}
	return alias, crypto.KeyID(alias.KeyId), nil
}

// aliasTarget returns the id of a key that a name may be given to.
func (a *applier) aliasTarget(rawID []byte) (crypto.KeyID, error) {
	id, err := keyID(rawID)
	if err != nil {
		return id, err
	}
	k, err := a.key(id)
	if err != nil {
		return id, err
	}
	if k.State == storepb.KeyState_PENDING_DELETION {
		return id, refuseState(k.State)
	}
	return id, nil
}

// removeAlias takes a name and its other records out.
func (a *applier) removeAlias(id crypto.KeyID, name string) error {
	a.state.Aliases--
	a.memos.aliases.touch(name, a.index)
	if err := a.remove(record.Aliases, []byte(name)); err != nil {
		return err
	}
	if err := a.remove(record.AliasNames, record.AliasNameKey([]byte(name))); err != nil {
		return err
	}
	return a.remove(record.KeyAliases, record.Under(id, name))
}
