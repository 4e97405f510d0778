package cluster_test

import (
	"math/rand/v2"
	"os"
	"testing"

	"meridian/crypto"
	"meridian/store/storetest"
)

func truncate(t *testing.T, path string, size int64) {
	t.Helper()
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
	}
}

// flip turns a bit of a file over.
func flip(t *testing.T, path string, at int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b [1]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1 << rand.IntN(8)
	if _, err := f.WriteAt(b[:], at); err != nil {
		t.Fatal(err)
	}
}

// makeDiffer changes a state so that it passes every check of its own.
func makeDiffer(t *testing.T, path string) {
	t.Helper()
	wrap := func(_ crypto.Binding, material []byte) ([]byte, error) { return material, nil }
	if err := storetest.Fill(path, 1, wrap); err != nil {
		t.Fatal(err)
	}
}
