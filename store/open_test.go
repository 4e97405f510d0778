package store

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"meridian/store/internal/record"
	"meridian/store/storepb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOpenMakesAPrivateFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "state.db")
	s, err := Open(Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for name, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700 | os.ModeDir} {
		info, err := os.Stat(name)
		if err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v; want %v", name, info.Mode(), err, want)
		}
	}
	if index, term := s.Applied(); index != 0 || term != 0 {
		t.Errorf("applied %d, term %d", index, term)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestOpenRemovesIncompleteFiles(t *testing.T) {
	r := newRegion(t)
	r.ok(createKey(1))
	r.store.Close()
	if err := os.WriteFile(r.path+newSuffix, []byte("half a snapshot"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.open(Config{})
	if _, err := os.Stat(r.path + newSuffix); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the incomplete file is still there: %v", err)
	}
	r.key(id(1))
}

func TestOpenRefusesAFileInUse(t *testing.T) {
	r := newRegion(t)
	if _, err := Open(Config{Path: r.path}); !errors.Is(err, ErrLocked) {
		t.Error(err)
	}
}

func TestOpenNeedsAPath(t *testing.T) {
	if _, err := Open(Config{}); err == nil {
		t.Error("no error")
	}
}

// A state that a newer build wrote is refused, not misread.
func TestOpenRefusesANewerState(t *testing.T) {
	for name, change := range map[string]func(*storepb.StateRecord, *storepb.RegionRecord){
		"format":        func(s *storepb.StateRecord, _ *storepb.RegionRecord) { s.Format = fileFormat + 1 },
		"feature level": func(_ *storepb.StateRecord, r *storepb.RegionRecord) { r.FeatureLevel = FeatureLevel + 1 },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRegion(t)
			r.store.Close()
			state, region := new(storepb.StateRecord), new(storepb.RegionRecord)
			rewrite(t, r.path, func(tx *bbolt.Tx) error {
				return errors.Join(
					loadRaw(tx, record.Meta, record.MetaState, state),
					loadRaw(tx, record.Region, record.RegionKey, region))
			})
			change(state, region)
			rewrite(t, r.path, func(tx *bbolt.Tx) error {
				return errors.Join(
					putRaw(tx, record.Meta, record.MetaState, state),
					putRaw(tx, record.Region, record.RegionKey, region))
			})
			if _, err := Open(Config{Path: r.path}); !errors.Is(err, ErrFeatureLevel) {
				t.Error(err)
			}
		})
	}
}

// dropTokens makes a closed state file one of a build that had no import tokens.
func dropTokens(t *testing.T, path string) {
	t.Helper()
	rewrite(t, path, func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte(record.ImportTokens.Name())) })
}

// A file of a build that had no import tokens is completed.
func TestOpenCompletesAnOlderFile(t *testing.T) {
	r := newRegion(t)
	r.ok(importKey(1))
	hash := r.hash()
	r.store.Close()
	dropTokens(t, r.path)
	r.open(Config{})
	if r.hash() != hash {
		t.Error("the state is another one")
	}
	r.check()
	r.ok(createToken(1, 1))
	r.reopen()
	r.ok(importMaterial(1, 1))
	r.check()
}

// A bucket that is missing though something is in it is damage.
func TestOpenRefusesAFileWithoutItsTokens(t *testing.T) {
	r := newRegion(t)
	r.ok(importKey(1))
	r.ok(createToken(1, 1))
	r.store.Close()
	dropTokens(t, r.path)
	if s, err := Open(Config{Path: r.path}); !errors.Is(err, ErrDamaged) {
		t.Error(err)
		if err == nil {
			s.Close()
		}
	}
}

// Errors of the operating system come through: they are no damage.
func TestOpenReportsTheSystemsErrors(t *testing.T) {
	fault := errors.New("no more files")
	r := newRegion(t)
	r.store.Close()
	_, err := Open(Config{Path: r.path, OpenFile: func(string, int, os.FileMode) (*os.File, error) { return nil, fault }})
	if !errors.Is(err, fault) || errors.Is(err, ErrDamaged) {
		t.Error(err)
	}
}

// A file that may not grow any more is an error of storage; what it held is
// still there afterwards.
func TestFullFile(t *testing.T) {
	r := newRegion(t)
	r.store.Close()
	r.open(Config{MaxSize: 1 << 20, InitialMmapSize: 1 << 20})
	for n := 1; ; n++ {
		c := createKey(n)
		c.Description = string(make([]byte, 8000))
		if _, err := r.store.Apply([]Entry{r.entry(r.command(c))}); err != nil {
			if n < 10 {
				t.Fatalf("full after %d keys: %v", n, err)
			}
			r.reopen()
			r.key(id(n - 1))
			r.check()
			return
		}
		if n > 1000 {
			t.Fatal("the bound does not hold")
		}
	}
}

// rewrite changes a closed state file behind the store's back.
func rewrite(t *testing.T, path string, f func(tx *bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(f), db.Close()); err != nil {
		t.Fatal(err)
	}
}

func loadRaw(tx *bbolt.Tx, id record.Bucket, key []byte, m proto.Message) error {
	t, err := openTable(tx, id)
	if err != nil {
		return err
	}
	_, err = t.load(key, m)
	return err
}

func putRaw(tx *bbolt.Tx, id record.Bucket, key []byte, m proto.Message) error {
	message, err := encode(m)
	if err != nil {
		return err
	}
	value, _ := record.Seal(id, key, message)
	return tx.Bucket([]byte(id.Name())).Put(key, value)
}
