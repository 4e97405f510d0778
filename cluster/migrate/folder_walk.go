package migrate

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
)

// folderWalk goes through the files below a folder by their paths, each part in the order of its bytes. It holds a bounded
// number of names: of a folder that has more it reads the list again for the next ones. A file that comes in behind the
// place that was reached is found, and one before it is not.
type folderWalk struct {
	root  *os.Root
	glob  string // of names, or with a slash of paths below the root
	names int    // that are held of each folder
	stack []folderLevel
}

// folderLevel is one folder on the way.
type folderLevel struct {
	path  string   // below the root
	names []string // in order, to be looked at
	more  bool     // there are others behind them
	last  string   // that was looked at
	read  bool     // the names were read at least once
}

const (
	// heldNames is how many names of a folder are held.
	heldNames = 16_384
	// newPrefix begins the names of files that are being written.
	newPrefix = ".meridian-"
	// contextEnd ends the name of the file that has another one's encryption context.
	contextEnd = ".context"
)

// newFolderWalk begins behind a path.
func newFolderWalk(root *os.Root, glob, after string) *folderWalk {
	w := &folderWalk{root: root, glob: glob, names: heldNames, stack: []folderLevel{{path: "."}}}
	if after == "" {
		return w
	}
	parts := strings.Split(after, "/")
	for i, part := range parts {
		w.stack[i].last = part
		if i+1 < len(parts) { // inside of this one there may be more
			w.stack = append(w.stack, folderLevel{path: path.Join(parts[:i+1]...)})
		}
	}
	return w
}

// next returns the next file that the pattern matches, whatever it is; [io.EOF] after the last. With a [*RowError] it returns
// a folder that this user may not read, and goes on behind it.
func (w *folderWalk) next() (string, fs.FileInfo, error) {
	for len(w.stack) > 0 {
		level := &w.stack[len(w.stack)-1]
		if len(level.names) == 0 {
			if level.read && !level.more {
				w.stack = w.stack[:len(w.stack)-1]
				continue
			}
			if err := w.load(level); err != nil {
				return w.leave(err)
			}
			continue
		}
		name := level.names[0]
		level.names, level.last = level.names[1:], name
		at := path.Join(level.path, name)
		info, err := w.root.Lstat(at)
		switch {
		case errors.Is(err, fs.ErrNotExist): // somebody took it away
		case err != nil:
			return w.leave(err)
		case info.IsDir():
			w.stack = append(w.stack, folderLevel{path: at})
		case w.matches(at):
			return at, info, nil
		}
	}
	return "", nil, io.EOF
}

// leave leaves the folder that it is in if what is wrong is that this user may not read it, or may see no more than names.
// Without the first folder there is nothing to go on with.
func (w *folderWalk) leave(err error) (string, fs.FileInfo, error) {
	last := len(w.stack) - 1
	if last == 0 || !denied(err) {
		return "", nil, err
	}
	at := w.stack[last].path
	w.stack = w.stack[:last]
	return at, nil, fault(FaultFile, "the folder cannot be read: %v", err)
}

// denied says that it is not the disk that is broken: this user may not do that.
func denied(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
}

// matches says that a file is meant.
func (w *folderWalk) matches(at string) bool {
	name := path.Base(at)
	if strings.HasPrefix(name, newPrefix) || strings.HasSuffix(name, contextEnd) {
		return false
	}
	if strings.Contains(w.glob, "/") {
		name = at
	}
	ok, _ := path.Match(w.glob, name) // the pattern was looked at before
	return ok
}

// load reads the next names of a folder.
func (w *folderWalk) load(level *folderLevel) error {
	folder, err := w.root.Open(level.path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) { // it was one
		level.read, level.more = true, false
		return nil
	}
	if err != nil {
		return err
	}
	level.names, level.more, err = smallestNames(folder, level.last, w.names)
	level.read = true
	return errors.Join(err, folder.Close())
}

// smallestNames returns the first so many names of a folder behind one, in order, and whether there are more.
func smallestNames(folder *os.File, after string, most int) (names []string, more bool, err error) {
	keep := func() {
		slices.Sort(names)
		if len(names) > most {
			names, more = slices.Delete(names, most, len(names)), true
		}
	}
	for {
		some, err := folder.Readdirnames(1024)
		for _, name := range some {
			switch {
			case name <= after && after != "":
			case more && name > names[most-1]: // the list is sorted up to there since it was cut
			default:
				names = append(names, name)
			}
		}
		if len(names) >= 2*most {
			keep()
		}
		if err == io.EOF {
			keep()
			return names, more, nil
		}
		if err != nil {
			return nil, false, err
		}
	}
}
