package migrate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// SetAside gives the files of a run that was begun other names, for one that begins again: NAME becomes NAME.N, with the
// lowest N that none of them has yet. Files are the journal, what is beside it, and the output if it is one. It returns
// the new names, none if there was nothing. Errors: [ErrInUse], [ErrFolderInUse], and what the disk says.
func SetAside(journal, output string) (names []string, err error) {
	journal = filepath.Clean(journal)
	if output != "" { // NAME/ of a folder is NAME
		output = filepath.Clean(output)
	}
	unlock, err := lockIfThere(journal)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	release, err := lockIfFolder(output)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, release()) }()
	for n := 1; ; n++ {
		aside := fmt.Sprintf("%s.%d", journal, n)
		moves := [][2]string{{journal, aside}, {UndoPath(journal), UndoPath(aside)}}
		if output != "" {
			moves = append(moves, [2]string{output, fmt.Sprintf("%s.%d", output, n)})
		}
		free, err := allFree(moves)
		if !free && err == nil {
			free, err = halfMoved(moves[0], moves[1])
		}
		if err != nil {
			return nil, err
		}
		if free {
			return rename(moves)
		}
	}
}

// halfMoved says that a restart was killed when the undo file had its new name and the journal, which is the last, had not.
func halfMoved(journal, undo [2]string) (bool, error) {
	is := true
	for name, want := range map[string]bool{journal[0]: true, journal[1]: false, undo[0]: false, undo[1]: true} {
		there, err := isThere(name)
		if err != nil {
			return false, err
		}
		is = is && there == want
	}
	return is, nil
}

// lockIfFolder keeps an output for this process if it is a folder: a run with another journal may write there.
func lockIfFolder(output string) (unlock func() error, err error) {
	unlock = func() error { return nil }
	if info, err := os.Stat(output); err != nil || !info.IsDir() { // whatever is wrong, renaming it says so
		return unlock, nil
	}
	root, err := os.OpenRoot(output)
	if err != nil {
		return nil, err
	}
	folder, err := lockFolder(root, false)
	if err = errors.Join(err, root.Close()); err != nil {
		return nil, err
	}
	return folder.Close, nil
}

// lockIfThere keeps a journal for this process.
func lockIfThere(journal string) (unlock func() error, err error) {
	file, err := os.OpenFile(journal, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return func() error { return nil }, nil
	}
	if err != nil {
		return nil, err
	}
	if err := lockNamed(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file.Close, nil
}

// allFree says that none of the new names is taken.
func allFree(moves [][2]string) (bool, error) {
	for _, m := range moves {
		if taken, err := isThere(m[1]); taken || err != nil {
			return false, err
		}
	}
	return true, nil
}

func isThere(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// rename gives the files that are there their new names, the journal last: while it has its name the others can be found.
func rename(moves [][2]string) (names []string, err error) {
	for i := len(moves) - 1; i >= 0; i-- {
		from, to := moves[i][0], moves[i][1]
		if err := os.Rename(from, to); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return names, err
		}
		if err := syncFolder(to); err != nil {
			return names, err
		}
		names = append(names, to)
	}
	return names, nil
}
