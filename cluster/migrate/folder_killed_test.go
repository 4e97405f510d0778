package migrate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// A run over a folder that is killed goes on, whatever of journal and undo file came to the disk, and every file that it
// has changed can be put back.
func TestKilledRunOverAFolder(t *testing.T) {
	for seed := range uint64(seeds(25)) {
		random := rand.New(rand.NewPCG(seed, 6))
		base := t.TempDir()
		files := map[string]string{}
		for i := range 60 {
			files[fmt.Sprintf("%d/%d.dek", i%4, i)] = encoded(fmt.Sprint("blob ", i))
		}
		writeFiles(t, filepath.Join(base, "keys"), files)
		killed := errors.New("killed")
		for starts := 0; ; starts++ {
			limit := 1 + random.Int64N(8)
			cfg, _ := folderConfig(t, base, &marker{mirror{batch: 1 + random.IntN(6), before: func(call int64) error {
				if call >= limit && starts < 12 {
					return killed
				}
				return nil
			}}})
			last, err := Run(t.Context(), cfg)
			if err == nil {
				if last.Rows != 60 || last.Counts.Moved+last.Counts.Kept != 60 {
					t.Fatalf("seed %d: %+v", seed, last)
				}
				break
			}
			if !errors.Is(err, killed) {
				t.Fatalf("seed %d: %v", seed, err)
			}
			cutJournal(t, random, filepath.Join(base, "journal"))
			tearUndo(t, random, UndoPath(filepath.Join(base, "journal")))
		}
		after := readFiles(t, filepath.Join(base, "keys"))
		for i := range 60 {
			if name := fmt.Sprintf("%d/%d.dek", i%4, i); after[name] != encoded(fmt.Sprint("kblob ", i)) || len(after) != 60 {
				t.Fatalf("seed %d: %s is %q, of %d files", seed, name, after[name], len(after))
			}
		}
		checkUndo(t, UndoPath(filepath.Join(base, "journal")), files)
		_, f := folderConfig(t, base, nil)
		r, err := RollBack(t.Context(), UndoFile{Path: UndoPath(filepath.Join(base, "journal")), Input: testHeader.Input}, f, false, nil)
		if err := errors.Join(err, f.Close()); err != nil || r.Restored != 60 || r.Left != 0 {
			t.Fatalf("seed %d: %+v, %v", seed, r, err)
		}
		for name, is := range readFiles(t, filepath.Join(base, "keys")) {
			if files[name] != is {
				t.Fatalf("seed %d: %s was not put back", seed, name)
			}
		}
	}
}

// checkUndo looks for the content that every file had before in an undo file.
func checkUndo(t *testing.T, path string, files map[string]string) {
	t.Helper()
	r, err := ReadUndo(UndoFile{Path: path, Input: testHeader.Input})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	kept := map[string]bool{}
	for c, err := r.Next(); err != io.EOF; c, err = r.Next() {
		if err != nil || string(c.Before) != files[c.Key] {
			t.Fatalf("%+v, %v", c, err)
		}
		kept[c.Key] = true
	}
	if len(kept) != len(files) {
		t.Errorf("%d files of %d could be put back", len(kept), len(files))
	}
}

// cutJournal takes some of the last bytes away, as a kill may.
func cutJournal(t *testing.T, random *rand.Rand, path string) {
	t.Helper()
	journal, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	header := bytes.IndexByte(journal, '\n') + 1
	if err := os.Truncate(path, int64(header+random.IntN(len(journal)-header+1))); err != nil {
		t.Fatal(err)
	}
}

// tearUndo leaves a part of what was being appended. Nothing was changed yet that stands there.
func tearUndo(t *testing.T, random *rand.Rand, path string) {
	t.Helper()
	undo, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	last := undo[bytes.LastIndexByte(undo[:len(undo)-1], '\n')+1:]
	if err := os.WriteFile(path, append(undo, last[:random.IntN(len(last))]...), 0o600); err != nil {
		t.Fatal(err)
	}
}
