package cluster

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// markFile makes an empty file in dir, on disk when it returns.
func markFile(dir, name string) error {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(syncFile(f), f.Close(), syncDir(dir))
}

// hasMark reports whether markFile made the file.
func hasMark(dir, name string) (bool, error) {
	_, err := os.Stat(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// unmark removes what markFile made.
func unmark(dir, name string) error {
	err := os.Remove(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(err, syncDir(dir))
}

// countMark adds one to a mark that counts, on disk when it returns, and returns
// what it was before.
func countMark(dir, name string) (before int64, err error) {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return 0, err
	}
	info, err := f.Stat()
	if err == nil {
		before = info.Size()
		_, err = f.Write([]byte{'.'})
	}
	return before, errors.Join(err, syncFile(f), f.Close(), syncDir(dir))
}
