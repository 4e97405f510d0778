package store

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"meridian/crypto"
	"meridian/store/storepb"
)

// baseStamp is when the tests' regions begin: 2026-11-24T00:00:00Z.
const baseStamp = 1795478400000

const dayMs = 24 * 60 * 60 * 1000

// region is a store under test with the counters that commands need.
type region struct {
	t     testing.TB
	store *Store
	path  string
	index uint64
	ids   uint64
	stamp int64
}

// emptyStore opens a new state file.
func emptyStore(t testing.TB) *region {
	t.Helper()
	return openedStore(t, nil)
}

// openedStore opens a state file of these bytes, or a new one if there are
// none.
func openedStore(t testing.TB, file []byte) *region {
	t.Helper()
	r := &region{t: t, path: filepath.Join(t.TempDir(), "state.db"), stamp: baseStamp}
	if file != nil {
		if err := os.WriteFile(r.path, file, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r.open(Config{})
	t.Cleanup(func() { r.store.Close() })
	return r
}

// newRegion opens a new state file and makes a region in it.
func newRegion(t testing.TB) *region {
	t.Helper()
	r := emptyStore(t)
	r.ok(initRegion())
	return r
}

func (r *region) open(cfg Config) {
	r.t.Helper()
	cfg.Path = r.path
	s, err := Open(cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	r.store = s
	r.sync(false)
}

// sync says whether commits wait for the disk. Tests of what commands do need
// not: nothing here cuts the power.
func (r *region) sync(on bool) { r.store.db.NoSync, r.store.db.NoGrowSync = !on, !on }

func (r *region) reopen() {
	r.t.Helper()
	if err := r.store.Close(); err != nil {
		r.t.Fatal(err)
	}
	r.open(Config{})
}

// command puts a body into a command with an id of its own.
func (r *region) command(body any) *storepb.Command {
	r.ids++
	c := &storepb.Command{
		Version:     CommandVersion,
		Id:          binary.BigEndian.AppendUint64(make([]byte, 8), r.ids),
		StampUnixMs: r.stamp,
		Origin:      &storepb.Origin{Node: "n1", RequestId: "request", Principal: "acs:ram::1:root"},
	}
	setBody(c, body)
	return c
}

// entry puts a command into the next entry of the log.
func (r *region) entry(c *storepb.Command) Entry {
	r.t.Helper()
	data, err := proto.Marshal(c)
	if err != nil {
		r.t.Fatal(err)
	}
	r.index++
	return Entry{Index: r.index, Term: 1, Data: data}
}

// apply applies one command.
func (r *region) apply(c *storepb.Command) *storepb.Result {
	r.t.Helper()
	results, err := r.store.Apply([]Entry{r.entry(c)})
	if err != nil {
		r.t.Fatal(err)
	}
	return results[0]
}

// do applies a command with a body.
func (r *region) do(body any) *storepb.Result {
	r.t.Helper()
	return r.apply(r.command(body))
}

// ok applies a command that has to apply.
func (r *region) ok(body any) *storepb.Result {
	r.t.Helper()
	result := r.do(body)
	if result.Code != storepb.Code_OK {
		r.t.Fatalf("%T: %s %s", body, result.Code, result.What)
	}
	return result
}

// refused applies a command that has to be refused.
func (r *region) refused(code storepb.Code, body any) *storepb.Result {
	r.t.Helper()
	result := r.do(body)
	if result.Code != code {
		r.t.Fatalf("%T: %s %s; want %s", body, result.Code, result.What, code)
	}
	return result
}

// view opens a view for the rest of the test.
func (r *region) view() *View {
	r.t.Helper()
	v, err := r.store.View()
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(v.Close)
	return v
}

// read runs f on a view.
func (r *region) read(f func(v *View)) {
	r.t.Helper()
	v, err := r.store.View()
	if err != nil {
		r.t.Fatal(err)
	}
	defer v.Close()
	f(v)
}

// key reads a key that has to be there.
func (r *region) key(id crypto.KeyID) (k *Key) {
	r.t.Helper()
	r.read(func(v *View) {
		var err error
		if k, err = v.Key(id); err != nil {
			r.t.Fatal(err)
		}
	})
	return k
}

func (r *region) hash() (h [32]byte) {
	r.t.Helper()
	r.read(func(v *View) { h = v.StateHash() })
	return h
}

// check runs the full check.
func (r *region) check() {
	r.t.Helper()
	if err := r.store.Check(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

func setBody(c *storepb.Command, body any) {
	switch b := body.(type) {
	case *storepb.InitRegion:
		c.Body = &storepb.Command_InitRegion{InitRegion: b}
	case *storepb.RegisterNode:
		c.Body = &storepb.Command_RegisterNode{RegisterNode: b}
	case *storepb.CreateKey:
		c.Body = &storepb.Command_CreateKey{CreateKey: b}
	case *storepb.EnableKey:
		c.Body = &storepb.Command_EnableKey{EnableKey: b}
	case *storepb.DisableKey:
		c.Body = &storepb.Command_DisableKey{DisableKey: b}
	case *storepb.ScheduleKeyDeletion:
		c.Body = &storepb.Command_ScheduleKeyDeletion{ScheduleKeyDeletion: b}
	case *storepb.CancelKeyDeletion:
		c.Body = &storepb.Command_CancelKeyDeletion{CancelKeyDeletion: b}
	case *storepb.UpdateKeyDescription:
		c.Body = &storepb.Command_UpdateKeyDescription{UpdateKeyDescription: b}
	case *storepb.CreateAlias:
		c.Body = &storepb.Command_CreateAlias{CreateAlias: b}
	case *storepb.UpdateAlias:
		c.Body = &storepb.Command_UpdateAlias{UpdateAlias: b}
	case *storepb.DeleteAlias:
		c.Body = &storepb.Command_DeleteAlias{DeleteAlias: b}
	case *storepb.AddKeyVersion:
		c.Body = &storepb.Command_AddKeyVersion{AddKeyVersion: b}
	case *storepb.SwitchPrimary:
		c.Body = &storepb.Command_SwitchPrimary{SwitchPrimary: b}
	case *storepb.SetDeletionProtection:
		c.Body = &storepb.Command_SetDeletionProtection{SetDeletionProtection: b}
	case *storepb.UpdateRotationPolicy:
		c.Body = &storepb.Command_UpdateRotationPolicy{UpdateRotationPolicy: b}
	case *storepb.SetKeyPolicy:
		c.Body = &storepb.Command_SetKeyPolicy{SetKeyPolicy: b}
	case *storepb.TagKeys:
		c.Body = &storepb.Command_TagKeys{TagKeys: b}
	case *storepb.UntagKeys:
		c.Body = &storepb.Command_UntagKeys{UntagKeys: b}
	case *storepb.CreateImportToken:
		c.Body = &storepb.Command_CreateImportToken{CreateImportToken: b}
	case *storepb.UseImportToken:
		c.Body = &storepb.Command_UseImportToken{UseImportToken: b}
	case *storepb.ImportKeyMaterial:
		c.Body = &storepb.Command_ImportKeyMaterial{ImportKeyMaterial: b}
	case *storepb.DeleteKeyMaterial:
		c.Body = &storepb.Command_DeleteKeyMaterial{DeleteKeyMaterial: b}
	case *storepb.ExpireKeyMaterial:
		c.Body = &storepb.Command_ExpireKeyMaterial{ExpireKeyMaterial: b}
	case *storepb.AddTransportKey:
		c.Body = &storepb.Command_AddTransportKey{AddTransportKey: b}
	case *storepb.DestroyKeys:
		c.Body = &storepb.Command_DestroyKeys{DestroyKeys: b}
	default:
		panic("no such body")
	}
}

func initRegion() *storepb.InitRegion {
	return &storepb.InitRegion{
		ClusterId:    []byte("cluster id 00001"),
		DataEpoch:    []byte("data epoch 00001"),
		Region:       "eu-test-1",
		Account:      "1234567890123456",
		Keyrings:     []*storepb.WrappedKeyring{{Provider: "file", KeyId: "k1", Ciphertext: []byte("keyring")}},
		Canary:       []byte("canary"),
		FeatureLevel: 1,
	}
}

// id and version build ids that are easy to tell apart.
func id(n int) crypto.KeyID {
	var k crypto.KeyID
	binary.BigEndian.PutUint64(k[:], uint64(n)*0x9e3779b97f4a7c15) // spread, as random ids are
	k[15] = byte(n)
	return k
}

func version(n int) crypto.VersionID {
	v := crypto.VersionID(id(n))
	v[14] = 0xff
	return v
}

func idOf(n int) []byte      { k := id(n); return k[:] }
func versionOf(n int) []byte { v := version(n); return v[:] }

// material stands for a wrapped key: 77 bytes, as a keyring makes them.
func material(n int) []byte {
	b := make([]byte, 77)
	binary.BigEndian.PutUint64(b, uint64(n))
	return b
}

// createKey is a key with its first version, both numbered n.
func createKey(n int) *storepb.CreateKey {
	return &storepb.CreateKey{
		KeyId: idOf(n), VersionId: versionOf(n), Algorithm: uint32(crypto.AlgorithmXAES256GCM), Wrapped: material(n),
		Spec: "Aliyun_AES_256", Usage: "ENCRYPT/DECRYPT", Origin: "Aliyun_KMS", ProtectionLevel: "SOFTWARE",
		Creator: "1234567890123456",
	}
}

// importKey is a key that waits for its material.
func importKey(n int) *storepb.CreateKey {
	return &storepb.CreateKey{KeyId: idOf(n), Origin: "EXTERNAL", Creator: "1234567890123456"}
}
