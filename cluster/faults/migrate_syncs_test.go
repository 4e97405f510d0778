//go:build faults

package faults

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"meridian/cluster/migrate"
)

// movingIn has this test binary move what is in a folder, below strace.
const movingIn = "TEST_FAULTS_MOVING_IN"

const movedInTest = 250 // rows or files: more than are gathered before they are written

// moves are the runs whose calls are looked at, and the files that get their names in each so many times.
var moves = []struct {
	name   string
	move   func(m mover) error
	folder string
	files  int
	times  int
}{
	{"rows", mover.rows, "moved", 0, 1},
	{"files to another folder", mover.filesOut, "moved", movedInTest, 1},
	{"files where they are and back", mover.filesAndBack, "keys", movedInTest, 2},
}

// TestMigrationSyncs looks at the calls of a mover: what its journal says is on the disk before the journal says so, and
// what it replaces is kept before it is replaced. A loss of power at any moment leaves a run that goes on and can be rolled
// back. What strace does not see, such as writes to a database, the tests of the packages try.
func TestMigrationSyncs(t *testing.T) {
	if !toolThere("strace") {
		t.Skip("needs strace")
	}
	for _, c := range moves {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			if base := os.Getenv(movingIn); base != "" {
				if err := c.move(mover(base)); err != nil {
					t.Fatal(err)
				}
				return
			}
			base, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			m := mover(base)
			d := m.traced(t)
			if c.folder == "keys" {
				d.dir = m.at(c.folder)
			}
			log, err := os.Open(m.at("log"))
			if err != nil {
				t.Fatal(err)
			}
			defer log.Close()
			if err := d.replay(log); err != nil {
				t.Fatal(err)
			}
			for _, text := range d.wrong[:min(len(d.wrong), 10)] {
				t.Error(text)
			}
			if files := d.placed(c.folder, c.times); d.checkpoints < 2 || files != c.files {
				t.Errorf("it has %d checkpoints, and %d files in %s got their names", d.checkpoints, files, c.folder)
			}
			if out := d.file(m.at("moved", "rows")); c.files == 0 && (len(out.changes) < 3 || out.cuts != 1) {
				t.Errorf("the output was written %d times and cut back %d times", len(out.changes), out.cuts)
			}
		})
	}
}

// mover is the folder in which something is moved: rows or keys from there to moved, with the journal in run.
type mover string

func (m mover) at(path ...string) string {
	return filepath.Join(append([]string{string(m)}, path...)...)
}

// traced makes what there is to move, and moves it in a process of its own below strace.
func (m mover) traced(t *testing.T) *moveDisk {
	t.Helper()
	for i := range movedInTest {
		at := m.at("keys", fmt.Sprint(i%5), fmt.Sprint(i, ".dek"))
		err := os.MkdirAll(filepath.Dir(at), 0o700)
		if err == nil {
			err = os.WriteFile(at, fmt.Append(nil, "blob ", i), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, folder := range []string{"moved", "run", "tmp"} {
		if err := os.Mkdir(m.at(folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	test, sub, _ := strings.Cut(t.Name(), "/")
	args := append(traceMove(m.at("log")), self, "-test.run", "^"+test+"$/^"+sub+"$", "-faults.binary", *binary)
	c := exec.CommandContext(t.Context(), args[0], args[1:]...)
	c.Env = append(os.Environ(), movingIn+"="+string(m), "TMPDIR="+m.at("tmp"))
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return newMoveDisk(string(m), m.at("run", "journal"), "")
}

// backwards is a way that turns blobs round, ten at a time. It fails from a row on, if that is not 0.
type backwards struct{ fails int64 }

var errBackwards = errors.New("no node answers")

func (backwards) Batch() int { return 10 }

func (b backwards) Move(_ context.Context, rows []*migrate.Row) ([]migrate.Outcome, error) {
	outcomes := make([]migrate.Outcome, len(rows))
	for i, row := range rows {
		if b.fails > 0 && row.Number >= b.fails {
			return nil, errBackwards
		}
		blob := slices.Clone(row.Blob)
		slices.Reverse(blob)
		outcomes[i] = migrate.Outcome{Status: migrate.Moved, Blob: blob, From: "cn-a/k/v"}
	}
	return outcomes, nil
}

// run is one start of a run, with a checkpoint as often as one can be.
func (m mover) run(medium migrate.Medium, fails int64) error {
	last, err := migrate.Run(context.Background(), migrate.Config{
		Header:  migrate.Header{Way: "native", From: "a", To: "b", Input: "in", Output: "out"},
		Journal: m.at("run", "journal"), Medium: medium, Way: backwards{fails}, Every: time.Nanosecond,
	})
	if fails > 0 && errors.Is(err, errBackwards) && last.Rows > 0 {
		return nil
	}
	if err == nil && last.Counts.Moved != movedInTest {
		err = fmt.Errorf("%+v", last)
	}
	return err
}

// rows moves rows of a file to another, in two starts.
func (m mover) rows() error {
	var input strings.Builder
	for i := range movedInTest {
		fmt.Fprintf(&input, `{"id":%d,"ciphertext":%q}`+"\n", i, base64.StdEncoding.EncodeToString(fmt.Append(nil, "blob ", i)))
	}
	medium := func() migrate.Medium {
		return migrate.NewFiles(strings.NewReader(input.String()), m.at("moved", "rows"), func(r io.Reader) (migrate.Format, error) {
			return migrate.NewJSONLines(r, migrate.DefaultColumns), nil
		})
	}
	return errors.Join(m.run(medium(), movedInTest/2), m.run(medium(), 0))
}

func (m mover) folder(out string) *migrate.Folder {
	return migrate.NewFolder(migrate.FolderConfig{Dir: m.at("keys"), Glob: "*.dek", Out: out, Journal: m.at("run", "journal"), Input: "in"})
}

func (m mover) filesOut() error {
	out := m.at("moved", "keys")
	return errors.Join(m.run(m.folder(out), movedInTest/2), m.run(m.folder(out), 0))
}

// filesAndBack moves files where they are, in two starts, and then rolls the run back.
func (m mover) filesAndBack() error {
	if err := errors.Join(m.run(m.folder(""), movedInTest/2), m.run(m.folder(""), 0)); err != nil {
		return err
	}
	f := m.folder("")
	r, err := migrate.RollBack(context.Background(), migrate.UndoFile{Path: migrate.UndoPath(m.at("run", "journal")), Input: "in"}, f, false, nil)
	if err == nil && r.Restored != movedInTest {
		err = fmt.Errorf("%+v", r)
	}
	return errors.Join(err, f.Close())
}
