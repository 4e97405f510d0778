package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go.etcd.io/bbolt"

	"meridian/crypto"
	"meridian/store/storepb"
)

// TestDamageIsNeverAnAnswer flips bits of a state file and reads everything
// through views. Each answer is the right one or ErrDamaged.
func TestDamageIsNeverAnAnswer(t *testing.T) {
	const keys = 40
	rounds := 800
	if testing.Short() || raceDetector { // one goroutine: nothing to race with
		rounds = 80
	}
	r := newRegion(t)
	for n := range keys {
		c := createKey(n)
		c.Policy = `{"Version":"1"}`
		c.Tags = []*storepb.Tag{{Key: "team", Value: "blue"}}
		r.ok(c)
		r.ok(&storepb.CreateAlias{Name: aliasOf(n), KeyId: idOf(n)})
	}
	for n := range keys / 2 {
		r.ok(&storepb.DisableKey{KeyId: idOf(n)})
	}
	for n := range keys { // a few of each key: one has not many
		key := keys + n/maxKeyTokens
		if n%maxKeyTokens == 0 {
			r.ok(importKey(key))
		}
		r.ok(createToken(key, n))
	}
	good := compacted(t, r)
	noticed, unharmed := 0, 0
	random := rand.New(rand.NewPCG(1, 2))
	folder := t.TempDir()
	path := ""
	// Where records lie in the file differs from run to run, so the least number
	// of hits is waited for rather than hoped for.
	const most = 16
	for round := 0; round < rounds || noticed < rounds/8 && round < most*rounds; round++ {
		at := random.IntN(len(good))
		if round%3 == 0 {
			at = at&^4095 + random.IntN(200) // page headers and the elements after them
		}
		if pagePointer(good, at) || bucketElement(good, at) {
			continue
		}
		if path == "" {
			path = filepath.Join(folder, fmt.Sprint(round))
			if err := os.WriteFile(path, good, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		writeByte(t, path, at, good[at]^1<<random.IntN(8))
		damaged, opened, wrong := readAll(path, keys, r.index)
		writeByte(t, path, at, good[at])
		if !opened {
			path = "" // a mapping that bbolt left behind may keep the lock on the file
		}
		if wrong != nil {
			t.Fatalf("round %d, byte %d: %v", round, at, wrong)
		}
		if damaged {
			noticed++
		} else {
			unharmed++ // a free page, or the older meta page
		}
	}
	t.Logf("%d of %d noticed", noticed, noticed+unharmed)
	if noticed < rounds/8 {
		t.Errorf("only %d of %d flips hit anything", noticed, noticed+unharmed)
	}
}

// used returns how many bytes of a closed state file hold pages; the rest of
// the file is room.
func used(t *testing.T, r *region) (n int64) {
	t.Helper()
	r.open(Config{})
	r.read(func(v *View) { n = v.tx.Size() })
	r.store.Close()
	return n
}

// pagePointer says that a byte belongs to a branch page's pointer to another
// page. One that leads back makes bbolt descend until the stack ends, which
// ends the process: no wrong answer, but no test either.
func pagePointer(data []byte, at int) bool {
	const branch, header, element, pointer = 1, 16, 16, 8
	page := data[at&^4095:]
	flags, count := binary.LittleEndian.Uint16(page[8:]), int(binary.LittleEndian.Uint16(page[10:]))
	in := at&4095 - header
	return flags == branch && in >= 0 && in < count*element && in%element >= pointer
}

// bucketElement says that a byte belongs to an element that says where a bucket is.
// Where a damaged one is not aligned, bbolt copies what it takes for the bucket to
// the heap and follows offsets in it: pointers to nowhere, at which the collector
// ends the process. No wrong answer either.
func bucketElement(data []byte, at int) bool {
	const leaf, header, element, bucket = 2, 16, 16, 1
	page := data[at&^4095:]
	flags, count := binary.LittleEndian.Uint16(page[8:]), int(binary.LittleEndian.Uint16(page[10:]))
	in := at&4095 - header
	if flags != leaf || in < 0 || in >= count*element {
		return false
	}
	return binary.LittleEndian.Uint32(page[header+in/element*element:]) == bucket
}

// compacted closes a store and returns its file without free pages.
func compacted(t *testing.T, r *region) []byte {
	t.Helper()
	r.store.Close()
	src, err := bbolt.Open(r.path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "compact.db")
	dst, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	size := int64(0)
	err = errors.Join(
		bbolt.Compact(dst, src, 0),
		dst.View(func(tx *bbolt.Tx) error { size = tx.Size(); return nil }),
		src.Close(), dst.Close())
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data[:size]
}

// writeByte changes one byte of a file.
func writeByte(t *testing.T, path string, at int, b byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt([]byte{b}, int64(at))
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

func aliasOf(n int) string { return "alias/name-" + id(n).String() }

// readAll reads all that TestDamageIsNeverAnAnswer wrote. It reports whether
// damage was noticed, whether the file could be opened, and the first wrong
// answer.
func readAll(path string, keys int, index uint64) (noticed, opened bool, wrong error) {
	s, err := Open(Config{Path: path, InitialMmapSize: 1 << 24})
	if err != nil {
		return true, false, unlessDamage(err)
	}
	defer s.Close()
	v, err := s.View()
	if err != nil {
		return true, true, unlessDamage(err)
	}
	defer v.Close()
	if v.Index() < index { // the newest meta page was hit: the log applies the last batch again
		return true, true, nil
	}
	for n := range keys {
		for _, read := range []func() error{
			func() error {
				k, err := v.Key(id(n))
				if want := map[bool]KeyState{true: Disabled, false: Enabled}[n < keys/2]; err == nil && (k.State != want || k.PrimaryVersion != version(n)) {
					return errors.New("another key")
				}
				return err
			},
			func() error {
				ver, err := v.Version(id(n), version(n))
				if err == nil && !bytes.Equal(ver.Wrapped, material(n)) {
					return errors.New("another version")
				}
				return err
			},
			func() error {
				got, err := v.Alias(aliasOf(n))
				if err == nil && got != id(n) {
					return errors.New("alias of another key")
				}
				return err
			},
			func() error {
				policy, err := v.Policy(id(n))
				if err == nil && policy == "" {
					return errors.New("no policy")
				}
				return err
			},
			func() error {
				tags, err := v.Tags(id(n))
				if err == nil && len(tags) != 1 {
					return errors.New("no tags")
				}
				return err
			},
			func() error {
				versions, err := v.Versions(id(n))
				if err == nil && (len(versions) != 1 || !bytes.Equal(versions[0].Wrapped, material(n))) {
					return errors.New("other versions")
				}
				return err
			},
			func() error {
				token, err := v.ImportToken(tokenHash(n))
				if err == nil && (token.KeyID != id(keys+n/maxKeyTokens) || !bytes.Equal(token.Wrapped, material(n))) {
					return errors.New("another token")
				}
				return err
			},
		} {
			if err := read(); err != nil {
				if wrong := unlessDamage(err); wrong != nil {
					return true, true, wrong
				}
				noticed = true
			}
		}
	}
	var ids []crypto.KeyID
	for n := range keys {
		ids = append(ids, id(n))
	}
	rows, _, more, err := v.TagRows(TagQuery{Keys: ids, Limit: keys})
	switch {
	case err != nil && unlessDamage(err) != nil:
		return true, true, err
	case err != nil:
		noticed = true
	case len(rows) != keys || more:
		return noticed, true, fmt.Errorf("%d rows of tags, more %v", len(rows), more)
	}
	// Without ids nothing says which keys have tags: as in other lists, one that a
	// page hides is missing, but what is there is right.
	if rows, _, _, err = v.TagRows(TagQuery{Limit: keys}); err != nil {
		return true, true, unlessDamage(err)
	}
	for _, row := range rows {
		if (row != TagRow{row.KeyID, Tag{"team", "blue"}}) || !slices.Contains(ids, row.KeyID) {
			return noticed, true, fmt.Errorf("a row of tags %v", row)
		}
	}
	return noticed, true, nil
}

// unlessDamage returns err unless it is the error that damage has to have.
func unlessDamage(err error) error {
	if errors.Is(err, ErrDamaged) {
		return nil
	}
	return err
}

// A damaged record stops a command that needs it, and the store.
func TestDamageStopsApply(t *testing.T) {
	r := newRegion(t)
	for n := range 20 {
		r.ok(createKey(n))
	}
	r.store.Close()
	data, err := os.ReadFile(r.path)
	if err != nil {
		t.Fatal(err)
	}
	// The material lies in the record of the version alone.
	at := bytes.LastIndex(data, material(7))
	for ; at >= 0; at = bytes.LastIndex(data[:at], material(7)) {
		data[at+30] ^= 1
	}
	if err := os.WriteFile(r.path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	r.open(Config{})
	if err := r.store.Check(t.Context()); !errors.Is(err, ErrDamaged) {
		t.Errorf("check: %v", err)
	}
	r.ok(&storepb.ScheduleKeyDeletion{KeyId: idOf(7), Days: 7})
	r.stamp += 7 * dayMs
	e := r.entry(r.command(&storepb.DestroyKeys{KeyIds: [][]byte{idOf(7)}}))
	var entry *EntryError
	if _, err := r.store.Apply([]Entry{e}); !errors.Is(err, ErrDamaged) || !errors.As(err, &entry) || entry.Index != e.Index {
		t.Errorf("apply: %v", err)
	}
	if _, err := r.store.View(); !errors.Is(err, ErrDamaged) {
		t.Errorf("view afterwards: %v", err)
	}
}

// A file that ends early is damaged, wherever it ends.
func TestTruncatedFileIsDamaged(t *testing.T) {
	r := newRegion(t)
	for n := range 200 {
		r.ok(createKey(n))
	}
	r.store.Close()
	data, err := os.ReadFile(r.path)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for _, n := range []int{0, 1, 100, 4095, 4096, 8191, 8192, 12288, 40960, int(used(t, r)) - 1} {
		path := filepath.Join(folder, fmt.Sprint(n)) // a mapping that bbolt leaves behind keeps the lock on its file
		if err := os.WriteFile(path, data[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := Open(Config{Path: path}); !errors.Is(err, ErrDamaged) {
			t.Errorf("%d of %d bytes: %v", n, len(data), err)
			if err == nil {
				s.Close()
			}
		}
	}
}

// The check runs beside writes, and neither disturbs the other.
func TestCheckBesideWrites(t *testing.T) {
	r := newRegion(t)
	for n := range 50 {
		r.ok(createKey(n))
	}
	done := make(chan error)
	go func() {
		var err error
		for range 5 {
			err = errors.Join(err, r.store.Check(t.Context()))
		}
		done <- err
	}()
	for n := 50; ; n++ {
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(r.path + checkSuffix); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the copy is left over: %v", err)
			}
			return
		default:
			r.ok(createKey(n))
		}
	}
}
