package store

import (
	"errors"
	"fmt"
	"testing"

	"meridian/crypto"
	"meridian/store/storepb"
)

func TestAliases(t *testing.T) {
	r := newRegion(t)
	r.ok(createKey(1))
	r.ok(createKey(2))
	for _, name := range []string{"alias/c", "alias/a", "alias/b"} {
		r.ok(&storepb.CreateAlias{Name: name, KeyId: idOf(1)})
	}
	r.refused(storepb.Code_ALIAS_EXISTS, &storepb.CreateAlias{Name: "alias/a", KeyId: idOf(2)})

	moved := r.ok(&storepb.UpdateAlias{Name: "alias/b", KeyId: idOf(2)})
	if string(moved.AliasKeyId) != string(idOf(1)) {
		t.Errorf("the alias named %x before", moved.AliasKeyId)
	}
	r.ok(&storepb.UpdateAlias{Name: "alias/b", KeyId: idOf(2)}) // again: no change
	r.ok(&storepb.DeleteAlias{Name: "alias/a"})
	r.refused(storepb.Code_ALIAS_NOT_FOUND, &storepb.DeleteAlias{Name: "alias/a"})
	r.refused(storepb.Code_ALIAS_NOT_FOUND, &storepb.UpdateAlias{Name: "alias/a", KeyId: idOf(2)})

	r.read(func(v *View) {
		if got, err := v.Alias("alias/b"); err != nil || got != id(2) {
			t.Errorf("alias/b: %s, %v", got, err)
		}
		if _, err := v.Alias("alias/a"); !errors.Is(err, ErrAliasNotFound) {
			t.Errorf("alias/a: %v", err)
		}
		for _, list := range []struct {
			got  func() ([]Alias, int, error)
			want string
		}{
			{func() ([]Alias, int, error) { return v.Aliases(0, 10) }, "[alias/b alias/c] of 2"},
			{func() ([]Alias, int, error) { return v.Aliases(1, 10) }, "[alias/c] of 2"},
			{func() ([]Alias, int, error) { return v.Aliases(0, 1) }, "[alias/b] of 2"},
			{func() ([]Alias, int, error) { return v.Aliases(2, 1) }, "[] of 2"},
			{func() ([]Alias, int, error) { return v.AliasesOf(id(1), 0, 10) }, "[alias/c] of 1"},
			{func() ([]Alias, int, error) { return v.AliasesOf(id(2), 0, 10) }, "[alias/b] of 1"},
			{func() ([]Alias, int, error) { return v.AliasesOf(id(2), 1, 10) }, "[] of 1"},
			{func() ([]Alias, int, error) { return v.AliasesOf(id(3), 0, 10) }, "[] of 0"},
		} {
			page, total, err := list.got()
			names := []string{}
			for _, a := range page {
				names = append(names, a.Name)
			}
			if got := fmt.Sprint(names, " of ", total); err != nil || got != list.want {
				t.Errorf("%s, %v; want %s", got, err, list.want)
			}
		}
	})
	r.check()
}

// An alias of a key that is pending deletion can be moved away and deleted.
func TestAliasOfADyingKey(t *testing.T) {
	r := newRegion(t)
	r.ok(createKey(1))
	r.ok(createKey(2))
	r.ok(&storepb.CreateAlias{Name: "alias/a", KeyId: idOf(1)})
	r.ok(&storepb.CreateAlias{Name: "alias/b", KeyId: idOf(1)})
	r.ok(&storepb.ScheduleKeyDeletion{KeyId: idOf(1), Days: 7})
	r.ok(&storepb.UpdateAlias{Name: "alias/a", KeyId: idOf(2)})
	r.ok(&storepb.DeleteAlias{Name: "alias/b"})
	r.check()
}

// What a name stood for is remembered for reads, and forgotten with each change.
func TestReadNameFollowsItsChanges(t *testing.T) {
	r := newRegion(t)
	r.ok(createKey(1))
	r.ok(createKey(2))
	names := func(want crypto.KeyID, none bool) {
		t.Helper()
		for range 2 { // from the file, then remembered
			r.read(func(v *View) {
				got, err := v.Alias("alias/a")
				if none && !errors.Is(err, ErrAliasNotFound) || !none && (err != nil || got != want) {
					t.Errorf("alias/a: %s, %v; want %s, none: %v", got, err, want, none)
				}
			})
		}
	}
	names(crypto.KeyID{}, true)
	r.ok(&storepb.CreateAlias{Name: "alias/a", KeyId: idOf(1)})
	names(id(1), false)
	r.ok(&storepb.UpdateAlias{Name: "alias/a", KeyId: idOf(2)})
	names(id(2), false)
	r.ok(&storepb.DeleteAlias{Name: "alias/a"})
	names(crypto.KeyID{}, true)
	r.ok(&storepb.CreateAlias{Name: "alias/a", KeyId: idOf(1)})
	names(id(1), false)
}
