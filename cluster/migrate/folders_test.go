package migrate

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"meridian/crypto"
)

// Folders that would be mixed up, and patterns that are none, are refused before anything is written.
func TestFolderRefuses(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "keys")
	writeFiles(t, base, map[string]string{"keys/a.dek": encoded("blob a"), "full/x": ""})
	if err := os.Symlink("keys", filepath.Join(base, "alias")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []FolderConfig{
		{Dir: dir, Glob: "*.dek", Out: dir}, {Dir: dir, Glob: "*.dek", Out: filepath.Join(dir, "out")}, {Dir: dir, Glob: "*.dek", Out: filepath.Join(base, "alias", "out")},
		{Dir: dir, Glob: "*.dek", Out: filepath.Join(base, "full")}, {Dir: dir, Glob: "[", Out: filepath.Join(base, "new")}, {Dir: dir, Out: filepath.Join(base, "new")},
		{Dir: filepath.Join(base, "none"), Glob: "*"},
	} {
		cfg, _ := folderConfig(t, base, &marker{})
		c.Journal = cfg.Journal
		cfg.Medium = NewFolder(c)
		if _, err := Run(t.Context(), cfg); err == nil {
			t.Errorf("%+v is taken", c)
		}
		if got := readFiles(t, base); len(got) != 2 {
			t.Errorf("%+v left %q", c, got)
		}
	}
}

// A key and a context that are given are those of each file.
func TestFolderTo(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"a.dek": encoded("blob a"), "b.dek": encoded("blob b"), "b.dek.context": "{}"})
	sealing, err := crypto.NewContext([]crypto.Pair{{Name: "app", Value: "pay"}})
	if err != nil {
		t.Fatal(err)
	}
	f := NewFolder(FolderConfig{Dir: dir, Glob: "*.dek", Context: sealing, To: "alias/x"})
	if err := f.Open(); err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, want := range []crypto.Context{sealing, {}} {
		if row, err := f.Next(t.Context()); err != nil || row.To != "alias/x" || !row.Context.Equal(want) {
			t.Errorf("%+v, %v", row, err)
		}
	}
}

// A name that leaves no room for the end of a context's name is that of a file without one.
func TestFolderWithALongName(t *testing.T) {
	base := t.TempDir()
	name := strings.Repeat("n", 251) + ".dek"
	writeFiles(t, filepath.Join(base, "keys"), map[string]string{name: encoded("blob a")})
	cfg, _ := folderConfig(t, base, &marker{mirror{batch: 2}})
	if last, err := Run(t.Context(), cfg); err != nil || last.Counts != (Counts{Moved: 1}) {
		t.Fatalf("%+v, %v", last, err)
	}
	if got := readFiles(t, filepath.Join(base, "keys")); len(got) != 1 || got[name] != encoded("kblob a") {
		t.Errorf("%q", got)
	}
}
