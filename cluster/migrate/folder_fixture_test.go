package migrate

import (
	"context"
	"encoding/base64"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// marker is a way whose new blobs begin with 'k': such a one was moved before, and is kept. Blobs that begin with 'x' fail.
type marker struct{ mirror }

func (m *marker) Move(ctx context.Context, rows []*Row) ([]Outcome, error) {
	outcomes, err := m.mirror.Move(ctx, rows)
	for i := range outcomes {
		if outcomes[i].Status == Moved {
			outcomes[i].Blob = append([]byte("k"), rows[i].Blob...)
		}
	}
	return outcomes, err
}

var aPast = time.Date(2020, 1, 2, 3, 4, 5, 678, time.UTC)

// writeFiles makes files with a mode and a time of their own.
func writeFiles(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		at := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(at), 0o750)
		if err == nil {
			err = os.WriteFile(at, []byte(content), 0o640)
		}
		if err == nil {
			err = os.Chtimes(at, aPast, aPast)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// readFiles is every regular file of a folder.
func readFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(at string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(at)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, at)
		files[name] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func encoded(blob string) string { return base64.StdEncoding.EncodeToString([]byte(blob)) }

// folderConfig is a run over a folder named keys.
func folderConfig(t *testing.T, base string, way Way) (Config, *Folder) {
	t.Helper()
	journal := filepath.Join(base, "journal")
	f := NewFolder(FolderConfig{Dir: filepath.Join(base, "keys"), Glob: "*.dek", Journal: journal, Input: testHeader.Input})
	return Config{Parallel: 4, Header: testHeader, Journal: journal, Medium: f, Way: way, Every: time.Nanosecond}, f
}

// watcher is a way that is looked at.
type watcher struct {
	Way
	watch func(rows []*Row)
}

func (w *watcher) Move(ctx context.Context, rows []*Row) ([]Outcome, error) {
	w.watch(rows)
	return w.Way.Move(ctx, rows)
}
