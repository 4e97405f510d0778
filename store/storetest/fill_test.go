package storetest_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"meridian/crypto"
	"meridian/store"
	"meridian/store/storepb"
	"meridian/store/storetest"
)

// newRegion makes a state file with a region in it.
func newRegion(t testing.TB, path string) {
	t.Helper()
	s, err := store.Open(store.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	command := &storepb.Command{
		Version: 1, Id: []byte("command id 00001"), StampUnixMs: time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC).UnixMilli(),
		Body: &storepb.Command_InitRegion{InitRegion: &storepb.InitRegion{
			ClusterId: []byte("cluster id 00001"), DataEpoch: []byte("data epoch 00001"), Region: "eu-test-1", FeatureLevel: 1,
		}},
	}
	data, err := proto.Marshal(command)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Apply([]store.Entry{{Index: 1, Term: 1, Data: data}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// wrapper returns the wrap of a new keyring.
func wrapper(t testing.TB) func(crypto.Binding, []byte) ([]byte, error) {
	t.Helper()
	keyring, err := crypto.GenerateKeyring()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(keyring.Close)
	return keyring.Wrap
}

// A filled file passes the full check: checksums, counters, state hash.
func TestFillIsWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	newRegion(t, path)
	const n = 3000
	if err := storetest.Fill(path, n, wrapper(t)); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(store.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Check(context.Background()); err != nil {
		t.Fatal(err)
	}
	v, err := s.View()
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	page, total, err := v.Keys(n-10, 100, nil)
	if err != nil || total != n || len(page) != 10 {
		t.Fatalf("page of %d, total %d, error %v; want 10, %d", len(page), total, err, n)
	}
	for i, k := range page {
		if i > 0 && !k.Created.After(page[i-1].Created) {
			t.Errorf("key %d was created at %s, the one before at %s", i, k.Created, page[i-1].Created)
		}
		if _, err := v.Version(k.ID, k.PrimaryVersion); err != nil {
			t.Errorf("primary version of %s: %v", k.ID, err)
		}
	}
}

// TestFillMillion reports what a large state costs. It runs when
// MERIDIAN_FILL_KEYS says how many keys.
func TestFillMillion(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("MERIDIAN_FILL_KEYS"))
	if n == 0 {
		t.Skip("set MERIDIAN_FILL_KEYS=1000000")
	}
	path := filepath.Join(t.TempDir(), "state.db")
	newRegion(t, path)
	began := time.Now()
	if err := storetest.Fill(path, n, wrapper(t)); err != nil {
		t.Fatal(err)
	}
	t.Logf("fill: %s", time.Since(began))
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("file: %.0f MiB, %.0f bytes a key", float64(info.Size())/(1<<20), float64(info.Size())/float64(n))
	runtime.GC()
	for range 3 {
		began = time.Now()
		s, err := store.Open(store.Config{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("open: %s", time.Since(began))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s, err := store.Open(store.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	began = time.Now()
	if err := s.Check(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Logf("check: %s", time.Since(began))
}
