package migrate

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path"
	"syscall"
	"time"
)

// Gathers is how many files have their old content made safe at once before they are replaced.
func (f *Folder) Gathers() int { return 100 }

// Write replaces files, or writes them into the other folder.
func (f *Folder) Write(_ context.Context, rows []*Row, outcomes []Outcome) error {
	if f.out != nil {
		return f.writeOut(rows, outcomes)
	}
	var changes []Change
	var places []int
	for i, row := range rows {
		if o := &outcomes[i]; o.Status == Moved {
			file := row.carried.(*folderFile)
			after := file.after(o)
			if len(after) > maxReplaced { // nobody could look at it again
				*o = Outcome{Status: Failed, From: o.From, Fault: fault(FaultFile, "it would have %d bytes, and %d are the most", len(after), maxReplaced)}
				continue
			}
			changes = append(changes, Change{Row: row.Number, Key: row.ID, Before: file.content, After: after})
			places = append(places, i)
		}
	}
	if err := f.undo.Append(changes...); err != nil {
		return err
	}
	if err := f.undo.Sync(); err != nil {
		return err
	}
	for i, c := range changes {
		refused, err := f.replace(c, rows[places[i]].carried.(*folderFile).info)
		if err != nil {
			return err
		}
		if refused != nil {
			outcomes[places[i]] = Outcome{Status: Failed, From: outcomes[places[i]].From, Fault: refused}
		}
	}
	return nil
}

// replace makes After of a file that is still Before. info says what else it is.
func (f *Folder) replace(c Change, info fs.FileInfo) (*RowError, error) {
	refused, err := f.tryReplace(c, info)
	if err != nil && denied(err) {
		return fault(FaultFile, "it cannot be replaced: %v", err), nil
	}
	return refused, err
}

func (f *Folder) tryReplace(c Change, info fs.FileInfo) (*RowError, error) {
	made, refused, err := f.writeBeside(f.root, c.Key, c.After, info, true)
	if refused != nil || err != nil {
		return refused, err
	}
	now, err := f.root.Lstat(c.Key)
	if errors.Is(err, fs.ErrNotExist) {
		return fault(FaultChanged, "another writer deleted it meanwhile"), f.root.Remove(made)
	}
	if err != nil {
		return nil, err
	}
	if content, refused := readSmall(f.root, c.Key, now, maxReplaced); refused != nil || !bytes.Equal(content, c.Before) {
		return fault(FaultChanged, "another writer changed it meanwhile; that stays"), f.root.Remove(made)
	}
	if err := f.root.Rename(made, c.Key); err != nil {
		return nil, errors.Join(err, f.root.Remove(made))
	}
	f.dirty[path.Dir(c.Key)] = true
	return nil, nil
}

// writeOut writes the files of all rows, as they are after the move, with the files of their contexts. What is no regular
// file, or too long, is not there.
func (f *Folder) writeOut(rows []*Row, outcomes []Outcome) error {
	for i, row := range rows {
		file := row.carried.(*folderFile)
		if file.content == nil {
			continue
		}
		if err := f.makeFolder(path.Dir(row.ID)); err != nil {
			return err
		}
		if err := f.put(row.ID, file.after(&outcomes[i]), file.info); err != nil {
			return err
		}
		if c := file.context; c != nil {
			if err := f.put(row.ID+contextEnd, c.content, c.info); err != nil {
				return err
			}
		}
		f.dirty[path.Dir(row.ID)] = true
	}
	return nil
}

// put writes a file of the output.
func (f *Folder) put(at string, content []byte, like fs.FileInfo) error {
	made, _, err := f.writeBeside(f.out, at, content, like, false)
	if err != nil {
		return err
	}
	return f.out.Rename(made, at)
}

// makeFolder makes a folder of the output and those above it, with the modes and owners that they have in the input.
func (f *Folder) makeFolder(at string) error {
	if at == "." || f.dirty[at] {
		return nil
	}
	if err := f.makeFolder(path.Dir(at)); err != nil {
		return err
	}
	if err := f.out.Mkdir(at, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	f.dirty[path.Dir(at)] = true
	info, err := f.root.Lstat(at)
	if err != nil { // it is gone by now
		return nil
	}
	if is, ok := info.Sys().(*syscall.Stat_t); ok {
		_ = f.out.Lchown(at, int(is.Uid), int(is.Gid)) // who may not give it away keeps it, as with files
	}
	return f.out.Chmod(at, info.Mode()&keptModes|0o700) // no umask, but the run has to get in
}

// writeBeside writes a file that is to take a name, on disk with mode, owner and time of change of another, and returns
// the name that it has until then. An owner that cannot be given is refused where it has to be kept.
func (f *Folder) writeBeside(root *os.Root, name string, content []byte, like fs.FileInfo, keepOwner bool) (made string, refused *RowError, err error) {
	made = f.newName(name)
	if err := root.Remove(made); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", nil, err
	}
	file, err := root.OpenFile(made, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", nil, err
	}
	_, err = file.Write(content)
	if err == nil {
		refused, err = beLike(file, like, keepOwner)
	}
	if err == nil && refused == nil {
		err = root.Chtimes(made, time.Time{}, like.ModTime())
	}
	if err == nil && refused == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil || refused != nil {
		return "", refused, errors.Join(err, root.Remove(made))
	}
	return made, nil, nil
}

// newName is the name of a file until it takes another one. It is the same at each start of a run, so that a kill leaves no
// heap of them, and another run over the folder has another.
func (f *Folder) newName(name string) string {
	sum := sha256.Sum256([]byte(f.run + "\x00" + path.Base(name)))
	return path.Join(path.Dir(name), newPrefix+hex.EncodeToString(sum[:8]))
}

// beLike gives a file owner, group and mode of another.
func beLike(file *os.File, like fs.FileInfo, keepOwner bool) (*RowError, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	is, isOK := info.Sys().(*syscall.Stat_t)
	want, wantOK := like.Sys().(*syscall.Stat_t)
	if isOK && wantOK && (is.Uid != want.Uid || is.Gid != want.Gid) {
		err := file.Chown(int(want.Uid), int(want.Gid))
		if err != nil && keepOwner {
			return fault(FaultFile, "its owner and group cannot be kept: %v", err), nil
		}
	}
	return nil, file.Chmod(like.Mode() & keptModes)
}

// keptModes is what is kept of a mode.
const keptModes = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky
