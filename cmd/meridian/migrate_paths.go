package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"meridian/cluster/migrate"
)

// namedFile is a file of a command line, and what it is for.
type namedFile struct{ use, path string }

// differ refuses two uses of one file: what is written for the one would be gone for the other.
func differ(files []namedFile) error {
	for i, a := range files {
		for _, b := range files[:i] {
			if sameFile(a.path, b.path) {
				return usageError("%s and %s are one file, %s: give them different names", b.use, a.use, a.path)
			}
		}
	}
	return nil
}

// sameFile says that two names are of one file, there or not. Of names that cannot be looked at it says no.
func sameFile(a, b string) bool {
	if a == "" || b == "" || a == stdStream || b == stdStream {
		return false
	}
	aInfo, aErr := os.Stat(a)
	bInfo, bErr := os.Stat(b)
	if aErr == nil && bErr == nil {
		return os.SameFile(aInfo, bInfo)
	}
	a, aErr = resolved(a)
	b, bErr = resolved(b)
	return aErr == nil && bErr == nil && a == b
}

// resolved is the absolute name of a file that need not be there, without links above it.
func resolved(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	folder, err := filepath.EvalSymlinks(filepath.Dir(path))
	return filepath.Join(folder, filepath.Base(path)), err
}

// checkPaths refuses a run that would write one of its files over another.
func (f *migrateRun) checkPaths(input string) error {
	if f.program.given() || f.table.given() {
		input = ""
	}
	written := []namedFile{{"--journal", f.journalPath()}, {"--metrics-textfile", f.metrics.path}}
	files := append([]namedFile{{"INPUT", input}, {"--out", f.out}}, written...)
	if journal := f.journalPath(); journal != "" {
		files = append(files, namedFile{"the undo file of --journal", migrate.UndoPath(journal)})
	}
	if err := differ(files); err != nil {
		return err
	}
	if f.folder.given() {
		return cmp.Or(writable(written), f.checkFolders(written))
	}
	return cmp.Or(f.checkOut(input), writable(append([]namedFile{{"--out", f.out}}, written...)))
}

// checkFolders refuses an output among the files of --dir, and files of the run among data keys.
func (f *migrateRun) checkFolders(written []namedFile) error {
	if f.out != "" && insideOf(f.out, f.folder.dir) {
		return usageError("--out: %w: %s is in %s", migrate.ErrFolderInside, f.out, f.folder.dir)
	}
	for _, dir := range []string{f.folder.dir, f.out} {
		for _, file := range written {
			if file.path != "" && dir != "" && insideOf(file.path, dir) {
				return usageError("%s: %s is in %s, whose files are data keys", file.use, file.path, dir)
			}
		}
	}
	if f.out == "" {
		return nil
	}
	if err := mayWrite(filepath.Clean(f.out)); err != nil {
		return usageError("--out: %w", err)
	}
	return nil
}

// writable refuses names of files that cannot be written, or made.
func writable(files []namedFile) error {
	for _, f := range files {
		if f.path == "" || f.path == stdStream {
			continue
		}
		if info, err := os.Stat(f.path); err == nil && info.IsDir() {
			return usageError("%s: %s is a folder; give the name of a file", f.use, f.path)
		}
		if err := mayWrite(filepath.Clean(f.path)); err != nil {
			return usageError("%s: %w", f.use, err)
		}
	}
	return nil
}

// mayWrite looks at a file that is there, or at the folder in which it would be made.
func mayWrite(path string) error {
	if _, err := os.Stat(path); err == nil {
		return accessError(path, unix.Access(path, unix.W_OK))
	}
	folder := filepath.Dir(path)
	switch info, err := os.Stat(folder); {
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is no folder", folder)
	}
	return accessError(folder, unix.Access(folder, unix.W_OK|unix.X_OK))
}

func accessError(path string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: "write", Path: path, Err: err}
}

// checkOut refuses an output that could not be cut back to a checkpoint, or whose name promises another format.
func (f *migrateRun) checkOut(input string) error {
	if f.out == "" || f.toStdout() {
		return nil
	}
	switch info, err := os.Stat(f.out); {
	case errors.Is(err, fs.ErrNotExist): // as it should be
	case err != nil:
		return usageError("--out: %w", err)
	case info.IsDir():
		return usageError("--out: %s is a folder; give the name of a file", f.out)
	case !info.Mode().IsRegular():
		return usageError("--out: %s is no regular file; --out - writes to standard output", f.out)
	}
	_, inner := migrate.CompressionOf(f.out)
	is := f.formatOf(input)
	if end := strings.TrimPrefix(filepath.Ext(inner), "."); end != is && slices.Contains([]string{"jsonl", "csv", "tsv"}, end) {
		return usageError("--out: %s would hold %s, as the input does: the format stays; give it another name", f.out, is)
	}
	return nil
}

// insideOf says that a file is in a folder or below it.
func insideOf(path, dir string) bool {
	path, err := resolved(path)
	dir, dirErr := resolved(dir)
	rel, relErr := filepath.Rel(dir, path)
	return err == nil && dirErr == nil && relErr == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

// checkMetricsFile refuses to replace a file that holds something else than the metrics of a run.
func checkMetricsFile(path string) error {
	text, err := readStart(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && (len(text) == 0 || bytes.Contains(text, []byte("meridian_migrate_"))) {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("%s holds something else than metrics of a run, and would be replaced: give another name", path)
	}
	return usageError("--metrics-textfile: %w", err)
}

// readStart reads the beginning of a file, which has to be a regular one.
func readStart(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text := make([]byte, 4096)
	n, err := file.Read(text)
	if n > 0 || info.Size() == 0 {
		err = nil
	}
	return text[:n], err
}
