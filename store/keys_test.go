package store

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"meridian/crypto"
	"meridian/store/storepb"
)

func TestCreateKey(t *testing.T) {
	r := newRegion(t)
	c := createKey(1)
	c.Description = "orders"
	c.RotationIntervalMs = 30 * dayMs
	c.Tags = []*storepb.Tag{{Key: "team", Value: "blue"}, {Key: "env", Value: ""}}
	c.Policy = `{"Version":"1"}`
	result := r.ok(c)
	fromResult, ok := KeyOf(result)
	if !ok {
		t.Fatal("the result carries no key")
	}
	created := time.UnixMilli(baseStamp).UTC()
	for where, k := range map[string]*Key{"result": fromResult, "view": r.key(id(1))} {
		want := Key{
			ID: id(1), State: Enabled, Spec: "Aliyun_AES_256", Usage: "ENCRYPT/DECRYPT", Origin: "Aliyun_KMS",
			ProtectionLevel: "SOFTWARE", Description: "orders", Creator: "1234567890123456", Created: created,
			PrimaryVersion: version(1), Versions: 1, LastRotation: created, RotationInterval: 30 * 24 * time.Hour,
			NextRotation: created.Add(30 * 24 * time.Hour), StateChanged: created, tags: 2, policy: true,
		}
		if !reflect.DeepEqual(*k, want) {
			t.Errorf("%s: %+v\nwant %+v", where, *k, want)
		}
	}
	r.read(func(v *View) {
		ver, err := v.Version(id(1), version(1))
		if err != nil || string(ver.Wrapped) != string(material(1)) || ver.Algorithm != crypto.AlgorithmXAES256GCM || !ver.Created.Equal(created) {
			t.Errorf("version: %+v, %v", ver, err)
		}
		tags, err := v.Tags(id(1))
		if want := []Tag{{"env", ""}, {"team", "blue"}}; err != nil || fmt.Sprint(tags) != fmt.Sprint(want) {
			t.Errorf("tags: %v, %v; want %v", tags, err, want)
		}
		if policy, err := v.Policy(id(1)); err != nil || policy != c.Policy {
			t.Errorf("policy: %q, %v", policy, err)
		}
	})
	r.refused(storepb.Code_KEY_EXISTS, createKey(1))
	r.check()
}

func TestUnusualKeyIsKept(t *testing.T) {
	r := newRegion(t)
	c := createKey(1)
	c.Spec, c.Algorithm, c.Usage, c.ProtectionLevel = "RSA_2048", uint32(crypto.AlgorithmRSA2048), "SIGN/VERIFY", "HSM"
	r.ok(c)
	r.ok(importKey(2))
	if k := r.key(id(1)); k.Spec != "RSA_2048" || k.Usage != "SIGN/VERIFY" || k.ProtectionLevel != "HSM" {
		t.Errorf("%+v", k)
	}
	if k := r.key(id(2)); k.Origin != "EXTERNAL" || k.State != PendingImport || !k.PrimaryVersion.IsZero() || k.Versions != 0 {
		t.Errorf("%+v", k)
	}
}

func TestNothingIsFoundThatIsNotThere(t *testing.T) {
	r := newRegion(t)
	r.ok(createKey(1))
	r.ok(importKey(3))
	r.read(func(v *View) {
		if _, err := v.Key(id(2)); !errors.Is(err, ErrKeyNotFound) {
			t.Errorf("key: %v", err)
		}
		if _, err := v.Version(id(1), version(2)); !errors.Is(err, ErrVersionNotFound) {
			t.Errorf("version: %v", err)
		}
		if _, err := v.Version(id(2), version(2)); !errors.Is(err, ErrVersionNotFound) {
			t.Errorf("version of no key: %v", err)
		}
		for n := range 4 { // also of a key that has no primary version, or no next one
			if _, err := v.Version(id(n), crypto.VersionID{}); !errors.Is(err, ErrVersionNotFound) {
				t.Errorf("zero version of key %d: %v", n, err)
			}
		}
		for _, name := range []string{"alias/none", "", "x"} {
			if _, err := v.Alias(name); !errors.Is(err, ErrAliasNotFound) {
				t.Errorf("alias %q: %v", name, err)
			}
		}
		if _, err := v.Tags(id(2)); !errors.Is(err, ErrKeyNotFound) {
			t.Errorf("tags: %v", err)
		}
		if _, err := v.Policy(id(2)); !errors.Is(err, ErrKeyNotFound) {
			t.Errorf("policy: %v", err)
		}
		if policy, err := v.Policy(id(1)); err != nil || policy != "" {
			t.Errorf("policy of a key without one: %q, %v", policy, err)
		}
	})
}

// TestStateMatrix has the table of the API: what each action does in each
// state of its key.
func TestStateMatrix(t *testing.T) {
	const ok, refused, origin = storepb.Code_OK, storepb.Code_KEY_STATE, storepb.Code_UNSUPPORTED_ORIGIN
	same := [4]KeyState{Enabled, Disabled, PendingDeletion, PendingImport}
	reach := map[KeyState]func(r *region, n int){
		Enabled:  func(r *region, n int) { r.ok(createKey(n)) },
		Disabled: func(r *region, n int) { r.ok(createKey(n)); r.ok(&storepb.DisableKey{KeyId: idOf(n)}) },
		PendingDeletion: func(r *region, n int) {
			r.ok(createKey(n))
			r.ok(&storepb.ScheduleKeyDeletion{KeyId: idOf(n), Days: 7})
		},
		PendingImport: func(r *region, n int) { r.ok(importKey(n)) },
	}
	states := []KeyState{Enabled, Disabled, PendingDeletion, PendingImport}
	for _, row := range []struct {
		name  string
		body  func(key []byte) any
		codes [4]storepb.Code // in the order of states
		after [4]KeyState
	}{
		{"EnableKey", func(key []byte) any { return &storepb.EnableKey{KeyId: key} },
			[4]storepb.Code{ok, ok, refused, refused}, [4]KeyState{Enabled, Enabled, PendingDeletion, PendingImport}},
		{"DisableKey", func(key []byte) any { return &storepb.DisableKey{KeyId: key} },
			[4]storepb.Code{ok, ok, refused, refused}, [4]KeyState{Disabled, Disabled, PendingDeletion, PendingImport}},
		{"ScheduleKeyDeletion", func(key []byte) any { return &storepb.ScheduleKeyDeletion{KeyId: key, Days: 7} },
			[4]storepb.Code{ok, ok, refused, ok}, [4]KeyState{PendingDeletion, PendingDeletion, PendingDeletion, PendingDeletion}},
		{"CancelKeyDeletion", func(key []byte) any { return &storepb.CancelKeyDeletion{KeyId: key} },
			[4]storepb.Code{refused, refused, ok, refused}, [4]KeyState{Enabled, Disabled, Enabled, PendingImport}},
		{"UpdateKeyDescription", func(key []byte) any { return &storepb.UpdateKeyDescription{KeyId: key, Description: "new"} },
			[4]storepb.Code{ok, ok, refused, ok}, [4]KeyState{Enabled, Disabled, PendingDeletion, PendingImport}},
		{"CreateAlias", func(key []byte) any { return &storepb.CreateAlias{KeyId: key, Name: fmt.Sprintf("alias/%x", key)} },
			[4]storepb.Code{ok, ok, refused, ok}, [4]KeyState{Enabled, Disabled, PendingDeletion, PendingImport}},
		{"UpdateAlias", func(key []byte) any { return &storepb.UpdateAlias{KeyId: key, Name: "alias/moves"} },
			[4]storepb.Code{ok, ok, refused, ok}, [4]KeyState{Enabled, Disabled, PendingDeletion, PendingImport}},
		{"AddKeyVersion", func(key []byte) any {
			return &storepb.AddKeyVersion{KeyId: key, VersionId: versionOf(999), Algorithm: 1, Wrapped: material(999), ExpectedPrimary: primaryOf(key)}
		}, [4]storepb.Code{ok, refused, refused, refused}, same},
		{"SwitchPrimary", func(key []byte) any { return &storepb.SwitchPrimary{KeyId: key, VersionId: primaryOf(key)} },
			[4]storepb.Code{ok, ok, ok, storepb.Code_PRIMARY_CHANGED}, same},
		{"SetDeletionProtection", func(key []byte) any { return &storepb.SetDeletionProtection{KeyId: key, Enabled: true} },
			[4]storepb.Code{ok, ok, refused, ok}, same},
		{"UpdateRotationPolicy", func(key []byte) any { return &storepb.UpdateRotationPolicy{KeyId: key, IntervalMs: 7 * dayMs} },
			[4]storepb.Code{ok, refused, refused, refused}, same},
		{"SetKeyPolicy", func(key []byte) any { return &storepb.SetKeyPolicy{KeyId: key, Policy: "{}"} },
			[4]storepb.Code{ok, ok, refused, ok}, same},
		{"TagKeys", func(key []byte) any {
			return &storepb.TagKeys{KeyIds: [][]byte{key}, Tags: []*storepb.Tag{{Key: "a"}}}
		}, [4]storepb.Code{ok, ok, ok, ok}, same},
		{"UntagKeys", func(key []byte) any { return &storepb.UntagKeys{KeyIds: [][]byte{key}, All: true} },
			[4]storepb.Code{ok, ok, ok, ok}, same},
		{"CreateImportToken", func(key []byte) any {
			return &storepb.CreateImportToken{KeyId: key, TokenHash: key, Wrapped: material(1), Scheme: "scheme", TtlMs: 1}
		}, [4]storepb.Code{origin, origin, origin, ok}, same},
		{"ImportKeyMaterial", func(key []byte) any {
			return &storepb.ImportKeyMaterial{KeyId: key, TokenHash: key, VersionId: versionOf(999), Algorithm: 1, Wrapped: material(999), Fingerprint: []byte("f")}
		}, [4]storepb.Code{origin, origin, origin, storepb.Code_TOKEN_UNKNOWN}, same},
		{"DeleteKeyMaterial", func(key []byte) any { return &storepb.DeleteKeyMaterial{KeyId: key} },
			[4]storepb.Code{origin, origin, origin, ok}, same},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRegion(t)
			r.ok(createKey(0))
			r.ok(&storepb.CreateAlias{KeyId: idOf(0), Name: "alias/moves"})
			for i, state := range states {
				reach[state](r, i+1)
				before := r.key(id(i + 1))
				if before.State != state {
					t.Fatalf("key is %s, not %s", before.State, state)
				}
				result := r.do(row.body(idOf(i + 1)))
				if result.Code != row.codes[i] {
					t.Errorf("%s: %s; want %s", state, result.Code, row.codes[i])
				}
				if result.Code == refused && KeyState(result.State) != state {
					t.Errorf("%s: the refusal says %s", state, KeyState(result.State))
				}
				after := r.key(id(i + 1))
				if after.State != row.after[i] {
					t.Errorf("%s: afterwards %s; want %s", state, after.State, row.after[i])
				}
				if result.Code != ok && !reflect.DeepEqual(after, before) {
					t.Errorf("%s: refused, but the key changed", state)
				}
				if k, ok := KeyOf(result); ok && !reflect.DeepEqual(k, after) {
					t.Errorf("%s: the result's key differs from the stored one", state)
				}
			}
			r.refused(storepb.Code_KEY_NOT_FOUND, row.body(idOf(77)))
			r.check()
		})
	}
}

// primaryOf is the version that createKey gives to a key.
func primaryOf(key []byte) []byte {
	for n := range 1000 {
		if string(idOf(n)) == string(key) {
			return versionOf(n)
		}
	}
	return nil
}

func TestWhoChangedTheStateIsKept(t *testing.T) {
	r := newRegion(t)
	r.ok(createKey(1))
	r.stamp += 1000
	r.ok(&storepb.DisableKey{KeyId: idOf(1)})
	want := time.UnixMilli(baseStamp + 1000).UTC()
	if k := r.key(id(1)); !k.StateChanged.Equal(want) || k.StateChangedBy != "acs:ram::1:root" {
		t.Errorf("changed at %s by %q", k.StateChanged, k.StateChangedBy)
	}
	r.stamp += 1000
	r.ok(&storepb.DisableKey{KeyId: idOf(1)}) // no change
	if k := r.key(id(1)); !k.StateChanged.Equal(want) {
		t.Errorf("a second disable moved the change to %s", k.StateChanged)
	}
}

func TestDeletionWindow(t *testing.T) {
	r := newRegion(t)
	r.ok(createKey(1))
	r.ok(&storepb.ScheduleKeyDeletion{KeyId: idOf(1), Days: 366})
	if k := r.key(id(1)); !k.DeleteAt.Equal(time.UnixMilli(baseStamp + 366*dayMs)) {
		t.Errorf("to be deleted at %s", k.DeleteAt)
	}
	r.ok(&storepb.CancelKeyDeletion{KeyId: idOf(1)})
	if k := r.key(id(1)); !k.DeleteAt.IsZero() || k.State != Enabled {
		t.Errorf("after cancelling: %s, %s", k.State, k.DeleteAt)
	}
	r.ok(importKey(2))
	r.ok(&storepb.ScheduleKeyDeletion{KeyId: idOf(2), Days: 7})
	r.ok(&storepb.CancelKeyDeletion{KeyId: idOf(2)})
	if k := r.key(id(2)); k.State != PendingImport {
		t.Errorf("a key without material is %s after cancelling", k.State)
	}
	r.refused(storepb.Code_INVALID, &storepb.ScheduleKeyDeletion{KeyId: idOf(1)})
	r.check()
}

func TestLimits(t *testing.T) {
	r := newRegion(t)
	for n := range 3 {
		c := createKey(n)
		c.Limit = 3
		r.ok(c)
	}
	c := createKey(3)
	c.Limit = 3
	if result := r.refused(storepb.Code_LIMIT, c); result.Limit != 3 || result.What != "keys" {
		t.Errorf("limit of %d %s", result.Limit, result.What)
	}
	c.Limit, c.VersionLimit = 0, 3
	if result := r.refused(storepb.Code_LIMIT, c); result.Limit != 3 || result.What != "versions of the region" {
		t.Errorf("limit of %d %s", result.Limit, result.What)
	}
	imported := importKey(9) // no version yet
	imported.VersionLimit = 3
	r.ok(imported)
	c.VersionLimit = 4
	r.ok(c)
	r.read(func(v *View) {
		if got := v.Totals(); got != (Totals{Keys: 5, Versions: 4}) {
			t.Errorf("%+v", got)
		}
	})
	for n := range 2 {
		r.ok(&storepb.CreateAlias{Name: fmt.Sprint("alias/", n), KeyId: idOf(1), Limit: 2})
	}
	r.refused(storepb.Code_LIMIT, &storepb.CreateAlias{Name: "alias/2", KeyId: idOf(1), Limit: 2})
	r.ok(&storepb.DeleteAlias{Name: "alias/0"})
	r.ok(&storepb.CreateAlias{Name: "alias/2", KeyId: idOf(1), Limit: 2})
	r.check()
}

func TestInvalidCommandsHaveNoEffect(t *testing.T) {
	r := newRegion(t)
	r.ok(createKey(1))
	r.ok(&storepb.CreateAlias{Name: "alias/a", KeyId: idOf(1)})
	brokenOf := func(c *storepb.CreateKey, change func(*storepb.CreateKey)) any {
		change(c)
		return c
	}
	broken := func(change func(*storepb.CreateKey)) any { return brokenOf(createKey(2), change) }
	rotate := func(change func(*storepb.AddKeyVersion)) any {
		c := &storepb.AddKeyVersion{KeyId: idOf(1), VersionId: versionOf(2), Algorithm: 1, Wrapped: material(2), ExpectedPrimary: versionOf(1)}
		change(c)
		return c
	}
	for i, body := range []any{
		broken(func(c *storepb.CreateKey) { c.KeyId = c.KeyId[:15] }),
		broken(func(c *storepb.CreateKey) { c.VersionId = nil }),
		broken(func(c *storepb.CreateKey) { c.VersionId = make([]byte, 16) }),
		broken(func(c *storepb.CreateKey) { c.Algorithm = 0 }),
		broken(func(c *storepb.CreateKey) { c.Algorithm = 256 }),
		broken(func(c *storepb.CreateKey) { c.Wrapped = nil }),
		broken(func(c *storepb.CreateKey) { c.RotationIntervalMs = -1 }),
		broken(func(c *storepb.CreateKey) { c.RotationIntervalMs = 1 << 62 }),
		broken(func(c *storepb.CreateKey) { c.Tags = []*storepb.Tag{{Key: "a"}, {Key: "a"}} }),
		broken(func(c *storepb.CreateKey) { c.Tags = []*storepb.Tag{{}} }),
		broken(func(c *storepb.CreateKey) { c.Tags = []*storepb.Tag{{Key: string(make([]byte, maxNameBytes+1))}} }),
		broken(func(c *storepb.CreateKey) { c.Spec = "RSA_512" }),
		broken(func(c *storepb.CreateKey) { c.Spec = "Aliyun_SM4" }), // of another algorithm
		broken(func(c *storepb.CreateKey) { c.Algorithm = uint32(crypto.AlgorithmXSM4GCM) }),
		broken(func(c *storepb.CreateKey) { c.Origin = "EXTERNAL" }), // and material
		broken(func(c *storepb.CreateKey) { c.VersionId, c.Algorithm, c.Wrapped = nil, 0, nil }),
		brokenOf(createPair(2), func(c *storepb.CreateKey) { c.RotationIntervalMs = 7 * dayMs }),
		brokenOf(importKey(2), func(c *storepb.CreateKey) { c.Spec = "EC_P256" }),
		brokenOf(importKey(2), func(c *storepb.CreateKey) { c.RotationIntervalMs = 7 * dayMs }),
		rotate(func(c *storepb.AddKeyVersion) { c.VersionId = nil }),
		rotate(func(c *storepb.AddKeyVersion) { c.VersionId = make([]byte, 16) }),
		rotate(func(c *storepb.AddKeyVersion) { c.VersionId = versionOf(1) }),
		rotate(func(c *storepb.AddKeyVersion) { c.Wrapped = nil }),
		rotate(func(c *storepb.AddKeyVersion) { c.Algorithm = 0 }),
		rotate(func(c *storepb.AddKeyVersion) { c.Algorithm = uint32(crypto.AlgorithmXSM4GCM) }),
		rotate(func(c *storepb.AddKeyVersion) { c.MinIntervalMs = -1 }),
		rotate(func(c *storepb.AddKeyVersion) { c.MinIntervalMs = maxDays*dayMs + 1 }),
		&storepb.SwitchPrimary{KeyId: idOf(1)},
		&storepb.SwitchPrimary{KeyId: idOf(1), VersionId: make([]byte, 16)},
		&storepb.SetDeletionProtection{},
		&storepb.UpdateRotationPolicy{KeyId: idOf(1), IntervalMs: -1},
		&storepb.UpdateRotationPolicy{KeyId: idOf(1), IntervalMs: maxDays*dayMs + 1},
		&storepb.SetKeyPolicy{},
		&storepb.DeleteKeyMaterial{},
		&storepb.ExpireKeyMaterial{KeyIds: [][]byte{idOf(1), {1}}},
		&storepb.ExpireKeyMaterial{KeyIds: slices.Repeat([][]byte{idOf(1)}, maxDestroyed+1)},
		&storepb.EnableKey{},
		&storepb.CreateAlias{KeyId: idOf(1)},
		&storepb.CreateAlias{KeyId: idOf(1), Name: string(make([]byte, maxNameBytes+1))},
		&storepb.UpdateAlias{KeyId: idOf(1)},
		&storepb.UpdateAlias{Name: "alias/a"},
		&storepb.DeleteAlias{},
		&storepb.DestroyKeys{KeyIds: [][]byte{idOf(1), {1}}},
		&storepb.RegisterNode{Id: "n1"},
		&storepb.InitRegion{},
	} {
		if result := r.do(body); result.Code != storepb.Code_INVALID || result.What == "" {
			t.Errorf("%d, %T: %s %q", i, body, result.Code, result.What)
		}
	}
	r.read(func(v *View) {
		if _, total, _ := v.Keys(0, 10, nil); total != 1 {
			t.Errorf("%d keys", total)
		}
	})
	r.check()
}
