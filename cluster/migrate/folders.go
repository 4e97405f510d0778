package migrate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"unicode/utf8"

	"meridian/crypto"
)

// FolderConfig says which files hold a blob each, and where they go.
type FolderConfig struct {
	Dir string // files are looked for in it and below it
	// Glob is a pattern of [path.Match] for names, or for paths below Dir if it has a slash.
	Glob string
	Out  string // a folder of its own for files as they are after the move; empty: they are replaced where they are
	// Journal is the path of the run's journal, beside which a run in place keeps what it replaces. Input is what the
	// journal's header calls the folder.
	Journal, Input string
	Shared         bool           // the run is of a shard: those of others may write to the same folder meanwhile
	Context        crypto.Context // of files that have no file NAME.context beside them, with a JSON object
	To             string         // the key that they are to be sealed under; empty: the mapping says
}

// FaultFile says that a file cannot be replaced as what it is.
const FaultFile = "File"

// Folder is the medium of a run over files that hold one blob each: as it is, or in Base64, and they keep that form.
//
// Nothing outside the folder is read or written. Symbolic links are not followed, not to folders either; a link, and
// whatever else is no regular file, is a row that fails if the pattern matches it. A file gets its new blob by one rename
// of a file that is on disk, with mode, owner, group and time of change as they were; one whose owner cannot be kept stays
// as it is. One that does not hold any more what was read stays as well: only a writer in the moment between that look and
// the rename is not seen. Other hard links keep the old blob, and extended attributes are not carried over. The folder that
// is written to is locked: no other run and no rollback of this machine gets to it meanwhile.
type Folder struct {
	cfg  FolderConfig
	run  string // what tells its files from those of other runs
	root *os.Root
	out  *os.Root // nil in place
	lock *os.File // of the folder that is written to
	undo *Undo    // nil if not in place
	walk *folderWalk
	most int // bytes of a file that is read

	number int64
	bytes  int64
	last   string          // path that Next has come to
	dirty  map[string]bool // folders with names that are not synced, below root or out
}

// folderFile is what a row needs to be written again.
type folderFile struct {
	info    fs.FileInfo
	content []byte // nil if it is not to be read
	form    blobForm
	context *folderContext // nil: there is no file of it
}

// folderContext is the file NAME.context beside a file.
type folderContext struct {
	info    fs.FileInfo
	content []byte
}

// NewFolder makes the medium; it looks at nothing yet.
func NewFolder(cfg FolderConfig) *Folder {
	run, err := filepath.Abs(cfg.Journal)
	if err != nil { // nobody knows where this is
		run = cfg.Journal
	}
	return &Folder{cfg: cfg, run: run, most: maxFile, dirty: map[string]bool{}}
}

// Open opens the folder to read its rows, without a run.
func (f *Folder) Open() (err error) {
	if _, err := path.Match(f.cfg.Glob, ""); err != nil || f.cfg.Glob == "" {
		return fmt.Errorf("%q is no pattern of names", f.cfg.Glob)
	}
	if f.root, err = os.OpenRoot(f.cfg.Dir); err != nil {
		return err
	}
	f.walk = newFolderWalk(f.root, f.cfg.Glob, "")
	return nil
}

// Begin goes on behind the last file of the last checkpoint.
func (f *Folder) Begin(_ context.Context, h History) error {
	if err := f.Open(); err != nil {
		return err
	}
	last := h.Last()
	f.number, f.bytes, f.last = last.Rows, last.Input, last.Key
	f.walk = newFolderWalk(f.root, f.cfg.Glob, f.last)
	if f.cfg.Out != "" {
		return f.openOut(h)
	}
	err := f.keep()
	if err != nil {
		return err
	}
	if h.Begun {
		f.undo, err = OpenUndo(UndoPath(f.cfg.Journal), f.cfg.Input, last.Output)
	} else {
		f.undo, err = CreateUndo(UndoPath(f.cfg.Journal), f.cfg.Input)
	}
	return err
}

// keep keeps others away from the folder that is written to, until it is closed.
func (f *Folder) keep() (err error) {
	if f.lock != nil {
		return nil
	}
	root := f.root
	if f.out != nil {
		root = f.out
	}
	f.lock, err = lockFolder(root, f.cfg.Shared)
	return err
}

// openOut makes the folder of the output, or finds that of an earlier start.
func (f *Folder) openOut(h History) (err error) {
	if err := apart(f.cfg.Dir, f.cfg.Out); err != nil {
		return err
	}
	if !h.Begun {
		if err := os.Mkdir(f.cfg.Out, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := syncFolder(f.cfg.Out); err != nil {
			return err
		}
	}
	if f.out, err = os.OpenRoot(f.cfg.Out); err != nil {
		return err
	}
	if err := f.keep(); err != nil || h.Begun {
		return err
	}
	folder, err := f.out.Open(".")
	if err != nil {
		return err
	}
	names, err := folder.Readdirnames(1)
	switch {
	case len(names) > 0:
		err = fmt.Errorf("%s: %w and is not empty, and there is no journal of a run that wrote it", f.cfg.Out, os.ErrExist)
	case err == io.EOF:
		err = nil
	}
	return errors.Join(err, folder.Close())
}

// ErrFolderInside says that the output would be found among the input.
var ErrFolderInside = errors.New("the output needs a folder elsewhere")

// apart refuses an output that would be found among the input.
func apart(dir, out string) error {
	in, err := filepath.EvalSymlinks(dir)
	if err == nil {
		in, err = filepath.Abs(in)
	}
	if err != nil {
		return err
	}
	parent, err := filepath.EvalSymlinks(filepath.Dir(filepath.Clean(out)))
	if err == nil {
		parent, err = filepath.Abs(parent)
	}
	if err != nil {
		return err
	}
	to := filepath.Join(parent, filepath.Base(filepath.Clean(out)))
	if whole, err := filepath.EvalSymlinks(to); err == nil {
		to = whole
	}
	if rel, err := filepath.Rel(in, to); err == nil && rel != ".." && !strings.HasPrefix(rel, "../") {
		return fmt.Errorf("%w: %s is in %s", ErrFolderInside, out, dir)
	}
	return nil
}

// Next returns the next file, or a folder that cannot be read.
func (f *Folder) Next(ctx context.Context) (*Row, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	at, info, err := f.walk.next()
	var unread *RowError
	if err != nil && !errors.As(err, &unread) {
		return nil, err
	}
	f.number++
	f.last = at
	file := &folderFile{info: info}
	row := &Row{Number: f.number, ID: at, Context: f.cfg.Context, To: f.cfg.To, carried: file}
	if !utf8.ValidString(at) {
		row.setFault(fault(FaultFile, "its name is not UTF-8"))
		return row, nil
	}
	if unread != nil {
		row.setFault(unread)
		return row, nil
	}
	if row.Fault = f.read(row, file); row.Fault == nil {
		f.bytes += int64(len(file.content))
	}
	return row, nil
}

// Rows are the files as a format, for who only reads them. The folder has to be open.
func (f *Folder) Rows(ctx context.Context) Format { return folderRows{f, ctx} }

type folderRows struct {
	folder *Folder
	ctx    context.Context
}

func (r folderRows) Next() (*Row, error) { return r.folder.Next(r.ctx) }

func (r folderRows) Offset() int64 { return r.folder.bytes }

// AppendRow appends what a file holds after the move.
func (r folderRows) AppendRow(dst []byte, row *Row, o *Outcome) []byte {
	return append(dst, row.carried.(*folderFile).after(o)...)
}

// after is what a file holds after the move.
func (f *folderFile) after(o *Outcome) []byte {
	if o.Status == Moved {
		return f.form.write(o.Blob)
	}
	return f.content
}

// read reads a file and the context beside it.
func (f *Folder) read(row *Row, file *folderFile) (refused *RowError) {
	if file.content, refused = readSmall(f.root, row.ID, file.info, f.most); refused != nil {
		return refused
	}
	if row.Blob, file.form, refused = readForm(file.content); refused != nil {
		return refused
	}
	return f.readContext(row, file)
}

// readContext reads the context beside a file, if there is one.
func (f *Folder) readContext(row *Row, file *folderFile) (refused *RowError) {
	info, err := f.root.Lstat(row.ID + contextEnd)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENAMETOOLONG) { // such a name no file has
		return nil
	}
	if err != nil {
		return fault(FaultContext, "%v", err)
	}
	content, refused := readSmall(f.root, row.ID+contextEnd, info, 4*crypto.MaxContextBytes)
	if refused != nil {
		return fault(FaultContext, "the file of its context: %s", refused.Reason)
	}
	file.context = &folderContext{info, content}
	row.Context, _ = row.parseContext(content)
	return row.Fault
}

// readSmall reads a regular file, the one that info is of.
func readSmall(root *os.Root, at string, info fs.FileInfo, most int) ([]byte, *RowError) {
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		return nil, fault(FaultFile, "it is a symbolic link, which is not followed")
	case !info.Mode().IsRegular():
		return nil, fault(FaultFile, "it is no regular file")
	}
	file, err := root.OpenFile(at, os.O_RDONLY|syscall.O_NONBLOCK, 0) // it may be a FIFO by now, for whose writer nobody waits
	if err != nil {
		return nil, fault(FaultFile, "%v", err)
	}
	defer file.Close()
	if opened, err := file.Stat(); err != nil || !opened.Mode().IsRegular() || !os.SameFile(info, opened) {
		return nil, fault(FaultChanged, "another writer replaced it meanwhile")
	}
	content, err := io.ReadAll(io.LimitReader(file, int64(most)+1))
	switch {
	case err != nil:
		return nil, fault(FaultFile, "%v", err)
	case len(content) > most:
		return nil, fault(FaultNoBlob, "it is longer than %d bytes", most)
	}
	return content, nil
}

// Mark is the last file.
func (f *Folder) Mark() Mark { return Mark{Input: f.bytes, Key: f.last} }

// Sync makes the names of files durable; what is in them is already.
func (f *Folder) Sync() (int64, error) {
	root := f.root
	if f.out != nil {
		root = f.out
	}
	for at := range f.dirty {
		folder, err := root.Open(at)
		if err != nil {
			return 0, err
		}
		if err := errors.Join(folder.Sync(), folder.Close()); err != nil {
			return 0, err
		}
	}
	clear(f.dirty)
	if f.undo == nil {
		return 0, nil
	}
	return f.undo.Size(), nil
}

// Close closes what is open.
func (f *Folder) Close() error {
	var errs []error
	if f.root != nil {
		errs = append(errs, f.root.Close())
	}
	if f.out != nil {
		errs = append(errs, f.out.Close())
	}
	if f.undo != nil {
		errs = append(errs, f.undo.Close())
	}
	if f.lock != nil {
		errs = append(errs, f.lock.Close())
	}
	return errors.Join(errs...)
}
