package migrate

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// A walk finds every file in order, however few names it holds, and goes on behind any of them.
func TestFolderWalk(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	dir := t.TempDir()
	files := map[string]string{}
	for range 300 {
		var parts []string
		for range random.IntN(4) {
			parts = append(parts, string(rune('a'+random.IntN(4))))
		}
		files[filepath.Join(append(parts, fmt.Sprintf("%d.dek", random.IntN(1000)))...)] = ""
	}
	files["a.dek"], files["a-.dek"], files["b\nc.dek"] = "", "", ""
	writeFiles(t, dir, files)
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	walk := func(held int, after string) (names []string) {
		w := newFolderWalk(root, "*.dek", after)
		w.names = held
		for {
			at, _, err := w.next()
			if err == io.EOF {
				return names
			}
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, at)
		}
	}
	all := walk(1000, "")
	if len(all) != len(files) {
		t.Fatalf("%d files of %d", len(all), len(files))
	}
	for _, held := range []int{1, 2, 7, 300} {
		if got := walk(held, ""); !slices.Equal(got, all) {
			t.Errorf("with %d names held: %d files of %d, or in another order", held, len(got), len(all))
		}
		for i := 0; i < len(all); i += 1 + random.IntN(20) {
			if got := walk(held, all[i]); !slices.Equal(got, all[i+1:]) {
				t.Errorf("with %d names held, behind %q: %d files, want %d", held, all[i], len(got), len(all)-i-1)
			}
		}
	}
	if got := walk(5, "b/gone/x"); len(got) == 0 || got[0] <= "b" {
		t.Errorf("behind a folder that is gone: %d files", len(got))
	}
}
