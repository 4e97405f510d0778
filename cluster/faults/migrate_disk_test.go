//go:build faults

package faults

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// movedCalls are the calls by which a run of a migration changes files and folders, and makes them durable.
const movedCalls = "openat,mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat,write,pwrite64,ftruncate,fsync,fdatasync"

// traceMove is the command below which a run moves rows so that all of these calls are written to a log, in their order.
func traceMove(log string) []string {
	return []string{"strace", "-f", "-o", log, "--seccomp-bpf", "-y", "-xx", "-s", "16777216", "-e", "signal=none", "-e", "trace=" + movedCalls}
}

// moveDisk is what a disk holds for sure while a run goes on, as its calls tell, and what is wrong with their order.
type moveDisk struct {
	base, journal string
	dir           string // of files that are replaced where they are; empty: none are

	files       map[string]*moveFile
	names       map[string]map[string]bool // of each folder those that are not synced
	there       map[string]bool            // names that were made
	renames     map[string]int             // to each name
	checkpoints int
	wrong       []string
}

// moveFile is what was done to a file.
type moveFile struct {
	changes []string // the text that each wrote
	durable int      // how many of them are synced
	cuts    int      // how many of them cut it back
}

func (f *moveFile) dirty() bool { return f.durable < len(f.changes) }

// synced is the text that is on the disk for sure, and unsynced what else was written.
func (f *moveFile) synced() string   { return strings.Join(f.changes[:f.durable], "") }
func (f *moveFile) unsynced() string { return strings.Join(f.changes[f.durable:], "") }

func newMoveDisk(base, journal, dir string) *moveDisk {
	return &moveDisk{
		base: base, journal: journal, dir: dir,
		files: map[string]*moveFile{}, names: map[string]map[string]bool{}, there: map[string]bool{}, renames: map[string]int{},
	}
}

func (d *moveDisk) fail(format string, args ...any) {
	d.wrong = append(d.wrong, fmt.Sprintf(format, args...))
}

func (d *moveDisk) file(path string) *moveFile {
	f := d.files[path]
	if f == nil {
		f = &moveFile{}
		d.files[path] = f
	}
	return f
}

// dirtyFiles are those with changes that are not synced.
func (d *moveDisk) dirtyFiles() (paths []string) {
	for path, f := range d.files {
		if f.dirty() {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

// dirtyNames are those that are not synced in their folders.
func (d *moveDisk) dirtyNames(but string) (paths []string) {
	for folder, names := range d.names {
		for name := range names {
			if path := filepath.Join(folder, name); path != but {
				paths = append(paths, path)
			}
		}
	}
	slices.Sort(paths)
	return paths
}

// settled notes what is not durable at a moment at which all of it has to be.
func (d *moveDisk) settled(when, but string) {
	for _, path := range d.dirtyFiles() {
		d.fail("%s, %s is not synced", when, path)
	}
	d.namesSettled(when, but)
}

func (d *moveDisk) namesSettled(when, but string) {
	for _, path := range d.dirtyNames(but) {
		d.fail("%s, the name %s is not synced", when, path)
	}
}

var (
	movedLine = regexp.MustCompile(`^(\d+) +(\w+)\((.*)$`)
	fileOf    = regexp.MustCompile(`^\d+<([^>]*)>`)
	namesOf   = regexp.MustCompile(`(?:(?:AT_FDCWD|\d+)(?:<([^>]*)>)?, )?"([^"]*)"`)
)

// replay follows the log of a run to its end.
func (d *moveDisk) replay(log io.Reader) error {
	under := map[string]func(){} // what calls do that are under way, by thread
	lines := bufio.NewReaderSize(log, 1<<20)
	for {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		line = strings.TrimSuffix(line, "\n")
		if m := resumedLine.FindStringSubmatch(line); m != nil {
			if done := under[m[1]]; done != nil && !strings.HasPrefix(m[3], "-") {
				done()
			}
			delete(under, m[1])
			continue
		}
		m := movedLine.FindStringSubmatch(line)
		if m == nil {
			continue // an end of a thread
		}
		done, err := d.call(m[2], m[3])
		if err != nil {
			return fmt.Errorf("%q: %w", line[:min(len(line), 200)], err)
		}
		if r := resultEnd.FindStringSubmatch(line); r == nil {
			under[m[1]] = done
		} else if !strings.HasPrefix(r[1], "-") {
			done()
		}
	}
	d.settled("in the end", "")
	return nil
}

// call begins a call, and returns what it does when it succeeds.
func (d *moveDisk) call(call, args string) (done func(), err error) {
	nothing := func() {}
	if m := fileOf.FindStringSubmatch(args); m != nil && !strings.HasSuffix(call, "at") && !strings.HasSuffix(call, "at2") {
		path, err := unhex(m[1])
		if err != nil || !d.has(path) {
			return nothing, err
		}
		if strings.HasSuffix(call, "sync") {
			return d.sync(path), nil
		}
		text := ""
		if call != "ftruncate" {
			if _, quoted, ok := strings.Cut(args, `"`); ok {
				quoted, _, _ = strings.Cut(quoted, `"`)
				if text, err = unhex(quoted); err != nil {
					return nil, err
				}
			}
		}
		d.write(path, text, call)
		return nothing, nil
	}
	var paths []string
	for _, m := range namesOf.FindAllStringSubmatch(args, -1) {
		folder, folderErr := unhex(m[1])
		name, nameErr := unhex(m[2])
		if err := errors.Join(folderErr, nameErr); err != nil {
			return nil, err
		}
		if !filepath.IsAbs(name) {
			name = filepath.Join(folder, name)
		}
		paths = append(paths, filepath.Clean(name))
	}
	if len(paths) == 0 || !d.has(paths[0]) {
		return nothing, nil
	}
	switch {
	case strings.HasPrefix(call, "rename") && len(paths) == 2:
		d.mayRename(paths[0], paths[1])
		return func() { d.rename(paths[0], paths[1]) }, nil
	case strings.HasPrefix(call, "unlink"):
		return func() { d.forget(paths[0]) }, nil
	case call == "openat" && strings.Contains(args, "O_CREAT"), strings.HasPrefix(call, "mkdir"):
		return func() { d.name(paths[0]) }, nil
	}
	return nothing, nil
}

func (d *moveDisk) has(path string) bool { return strings.HasPrefix(path, d.base+"/") }

// write is the beginning of a write. What the journal says has to be so before.
func (d *moveDisk) write(path, text, call string) {
	f := d.file(path)
	switch {
	case call == "ftruncate":
		f.cuts++
	case path == d.journal && strings.Contains(text, `"checkpoint":{`):
		d.checkpoints++
		d.settled("when a checkpoint is written", "")
	case path == d.journal:
		d.namesSettled("when the journal is written", "")
		if f.unsynced() != "" {
			d.fail("when the journal is written, its line before is not synced")
		}
	}
	f.changes = append(f.changes, text)
}

// sync begins a sync of a file or a folder.
func (d *moveDisk) sync(path string) (done func()) {
	f := d.file(path)
	covers, names := len(f.changes), maps.Clone(d.names[path])
	return func() {
		f.durable = max(f.durable, covers)
		for name := range names {
			delete(d.names[path], name)
		}
	}
}

// name is the making of a file or folder, or the opening of one that may be there.
func (d *moveDisk) name(path string) {
	if d.there[path] {
		return
	}
	d.there[path] = true
	folder := filepath.Dir(path)
	if d.names[folder] == nil {
		d.names[folder] = map[string]bool{}
	}
	d.names[folder][filepath.Base(path)] = true
}

func (d *moveDisk) forget(path string) {
	delete(d.there, path)
	delete(d.files, path)
	delete(d.names[filepath.Dir(path)], filepath.Base(path))
}

// undo is what the undo file has for sure.
func (d *moveDisk) undo() string { return d.file(d.journal + ".undo").synced() }

// mayRename judges a rename that begins: what takes a name is whole, a journal comes last of what a run makes, and nothing
// is replaced where it is whose change is not kept.
func (d *moveDisk) mayRename(from, to string) {
	if d.file(from).dirty() {
		d.fail("when %s gets its name, it is not synced", to)
	}
	if to == d.journal {
		d.settled("when the journal gets its name", from)
		if d.dir != "" && d.undo() == "" {
			d.fail("when the journal gets its name, the undo file has no header that is synced")
		}
	}
	if key, err := filepath.Rel(d.dir, to); d.dir != "" && err == nil && filepath.IsLocal(key) {
		kept := d.undo()
		if !strings.Contains(kept, fmt.Sprintf(`"key":%q`, key)) {
			d.fail("when %s is replaced, the undo file has no change of it that is synced", key)
		}
		if d.renames[to] > 0 && !strings.Contains(kept, `"rolled_back":true`) {
			d.fail("when %s is put back, the undo file does not say that the run is rolled back, synced", key)
		}
	}
}

// placed counts the files of a folder, and of those in it, that got their names so many times.
func (d *moveDisk) placed(folder string, times int) (files int) {
	for path, n := range d.renames {
		if n == times && strings.HasPrefix(path, filepath.Join(d.base, folder)+"/") {
			files++
		}
	}
	return files
}

func (d *moveDisk) rename(from, to string) {
	f := d.file(from)
	d.forget(from)
	d.files[to] = f
	delete(d.there, to)
	d.name(to)
	d.renames[to]++
}
