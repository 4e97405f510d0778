package migrate

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"
)

// A file whose old content cannot be kept is not replaced.
func TestNoFileIsReplacedBeforeItIsKept(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "keys")
	files := map[string]string{}
	for i := range 6 {
		files[fmt.Sprint(i, ".dek")] = encoded(fmt.Sprint("blob ", i))
	}
	writeFiles(t, dir, files)
	way := &marker{mirror{batch: 2}}
	cfg, f := folderConfig(t, base, way)
	way.before = func(call int64) error {
		if call == 1 {
			return f.undo.Close() // from here on the disk takes no more of it
		}
		return nil
	}
	if last, err := Run(t.Context(), cfg); !errors.Is(err, os.ErrClosed) || last.Rows != 0 {
		t.Errorf("%+v, %v", last, err)
	}
	if got := readFiles(t, dir); !maps.Equal(got, files) {
		t.Errorf("they hold %q", got)
	}
}
