package seal

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// syncs runs f and returns what it syncs, each with the names that were in dir at
// that time.
func syncs(t *testing.T, dir string, f func() error) (seen []string) {
	t.Helper()
	really := syncFile
	defer func() { syncFile = really }()
	syncFile = func(file *os.File) error {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Error(err)
		}
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		what, err := filepath.Rel(dir, file.Name())
		if err != nil {
			t.Error(err)
		}
		seen = append(seen, what+" with "+strings.Join(names, " "))
		return really(file)
	}
	if err := f(); err != nil {
		t.Error(err)
	}
	return seen
}

// A root key is on disk before it has its name, and so is the name when the key
// may be used: what is sealed under it would be lost with it.
func TestKeyFileIsOnDisk(t *testing.T) {
	dir := t.TempDir()
	seen := syncs(t, dir, func() error { return GenerateFile(filepath.Join(dir, "root.key")) })
	if len(seen) != 2 || !strings.HasPrefix(seen[0], ".root-key-") || strings.Contains(seen[0], " root.key") ||
		!strings.HasPrefix(seen[1], ". with ") || !strings.HasSuffix(seen[1], " root.key") {
		t.Errorf("synced %q, want the key under another name, then the folder with its name", seen)
	}
}
