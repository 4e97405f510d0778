package migrate

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"unicode/utf8"
)

// Undo is what a run keeps of the blobs that it replaces where they are, in a table or a folder, so that they can be put
// back: they go on opening as long as their keys do. It is a file of lines beside the journal:
//
//	CRC-32C of what follows, 8 hex digits || space || a JSON object || newline
//
// The first is the [UndoHeader]. Each [Change] after it is on disk before the new blob is anywhere else. So a change that
// is in the file may never have been made, as where the run was killed in between or another writer was faster, and a key
// may be there twice; but nothing was changed that is not in the file. Lines are only ever added.
//
// Lines are synced in groups, and each says how many bytes were synced before its group. A line that does not fit its sum
// was being written when the run or the machine ended if the journal does not know of it, no later line says that it was
// synced, and nothing whole is behind it, or it has a hole of zeros, as a power loss leaves them in a group that was never
// synced. Else it is damage.
type Undo struct {
	file    *os.File
	pending []byte // not written yet
	synced  int64  // bytes of the file
}

// UndoHeader says which run the changes are of.
type UndoHeader struct {
	Version int    `json:"version"` // of the format: 1
	Input   string `json:"input"`   // as the journal's header names it
}

// Change is one blob that took the place of another.
type Change struct {
	Row    int64  `json:"row"` // its number in the run
	Key    string `json:"key"` // where it is: a table's key, the name of a file. UTF-8
	Before []byte `json:"before"`
	After  []byte `json:"after"`
}

// undoLine is one line: a header, a change, or the note that changes are being taken back.
type undoLine struct {
	Synced int64       `json:"synced"` // bytes of the file, before the group of this line
	Undo   *UndoHeader `json:"undo,omitempty"`
	*Change
	Back bool `json:"rolled_back,omitempty"`
	// Left ends that: so many rows are not as before.
	Left *int64 `json:"left,omitempty"`
}

const (
	undoVersion = 1
	// maxUndoLine bounds a line, in bytes.
	maxUndoLine = 1 << 20
)

var (
	// ErrUndoDamaged says that a file of changes holds what no run has written.
	ErrUndoDamaged = errors.New("the undo file is damaged")
	// ErrRolledBack says that changes of a run were taken back, so that it cannot go on.
	ErrRolledBack = errors.New("this run was rolled back; a new one, with another journal or --restart, moves the rows again")
)

// UndoFile is the undo file of a run, with what the run's journal knows of it.
type UndoFile struct {
	Path    string
	Input   string // as the journal's header names it
	Covered int64  // bytes that the last checkpoint covers
}

// UndoFileOf is the undo file of the run that a journal is of.
func UndoFileOf(journal string, run Header, h History) UndoFile {
	return UndoFile{UndoPath(journal), run.Input, h.Last().Output}
}

// check refuses the file of another run.
func (f UndoFile) check(h UndoHeader) error {
	if h.Input == f.Input {
		return nil
	}
	return fmt.Errorf("%w: %s is of a run over %q, not %q", ErrOtherRun, f.Path, h.Input, f.Input)
}

// UndoPath is where a run keeps its changes: beside its journal.
func UndoPath(journal string) string { return journal + ".undo" }

// CreateUndo begins a file of changes. It must not be there, or be one without any change: of a run that was killed
// before it had a journal. Errors: [os.ErrExist], [ErrInUse], and what the disk says.
func CreateUndo(path, input string) (*Undo, error) {
	file, err := openLocked(path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	u := &Undo{file: file}
	if err := u.begin(path, input); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return u, nil
}

// begin writes the header. A part of one is of a run that was killed meanwhile.
func (u *Undo) begin(path, input string) error {
	if err := u.append(undoLine{Undo: &UndoHeader{Version: undoVersion, Input: input}}); err != nil {
		return err
	}
	found, err := io.ReadAll(io.LimitReader(u.file, int64(len(u.pending))+1))
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(u.pending, found) {
		return fmt.Errorf("%s: %w, and there is no journal of a run that wrote it; it may have the only old ciphertexts: give another --journal, or move it away", path, os.ErrExist)
	}
	return errors.Join(u.Sync(), syncFolder(path))
}

// OpenUndo goes on with a file of changes, of which the journal's last checkpoint covers so many bytes. Errors: [ErrInUse],
// [ErrUndoDamaged], [ErrOtherRun], [ErrRolledBack], and what the disk says.
func OpenUndo(path, input string, covered int64) (*Undo, error) {
	file, err := openLocked(path, os.O_RDWR)
	if err != nil {
		return nil, fmt.Errorf("the changes of the run so far: %w", err)
	}
	u := &Undo{file: file}
	if err := u.find(path, input, covered); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return u, nil
}

// openLocked opens a file for this process alone.
func openLocked(path string, flags int) (*os.File, error) {
	file, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lock(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// find checks the header, looks where the last whole line ends, and cuts off what follows it.
func (u *Undo) find(path, input string, covered int64) error {
	r := newUndoReader(u.file)
	header, err := r.header()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := (UndoFile{Path: path, Input: input}).check(header); err != nil {
		return err
	}
	if covered > r.used { // what is covered was synced once; reading all of it again would only take time
		if err := r.seek(covered); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	damaged, err := u.cut(r)
	switch err := errors.Join(err, damaged); {
	case err != nil:
		return fmt.Errorf("%s: %w", path, err)
	case r.back.Begun:
		return ErrRolledBack
	}
	return nil
}

// cut reads to the end and cuts off what was not synced. It tells of damaged lines, and goes on behind them.
func (u *Undo) cut(r *UndoReader) (damaged, err error) {
	for err != io.EOF {
		switch _, err = r.Next(); {
		case errors.Is(err, ErrUndoDamaged):
			damaged = cmp.Or(damaged, err)
		case err != nil && err != io.EOF:
			return damaged, err
		}
	}
	u.synced = r.used
	return damaged, u.file.Truncate(u.synced)
}

// lockUndo opens a file of changes to note at its end that they are being taken back; damaged lines do not keep it from
// that, and stay.
func lockUndo(f UndoFile) (*Undo, error) {
	file, err := openLocked(f.Path, os.O_RDWR)
	if err != nil {
		return nil, err
	}
	u := &Undo{file: file}
	r := newUndoReader(file)
	r.covered = f.Covered
	_, err = r.header()
	if err == nil {
		_, err = u.cut(r)
	}
	if err == nil {
		err = u.endLine()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", f.Path, err), file.Close())
	}
	return u, nil
}

// endLine keeps a line of which only the beginning is left from taking in what is appended.
func (u *Undo) endLine() error {
	last := make([]byte, 1)
	if _, err := u.file.ReadAt(last, u.synced-1); err != nil { // there is a header
		return err
	}
	if last[0] != '\n' {
		u.pending = append(u.pending, '\n')
	}
	return nil
}

// Append takes changes, to be written by the next Sync.
func (u *Undo) Append(changes ...Change) error {
	for i := range changes {
		if err := u.append(undoLine{Change: &changes[i]}); err != nil {
			return err
		}
	}
	return nil
}

// RollBack notes that changes are being taken back from now on, and syncs it.
func (u *Undo) RollBack() error { return u.note(undoLine{Back: true}) }

// EndRollBack notes that all changes were looked at, and that so many rows are not as before.
func (u *Undo) EndRollBack(left int64) error { return u.note(undoLine{Back: true, Left: &left}) }

func (u *Undo) note(l undoLine) error {
	if err := u.append(l); err != nil {
		return err
	}
	return u.Sync()
}

func (u *Undo) append(l undoLine) error {
	if l.Change != nil && !utf8.ValidString(l.Change.Key) {
		return fmt.Errorf("the key of row %d is not UTF-8", l.Change.Row)
	}
	l.Synced = u.synced
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	from := len(u.pending)
	u.pending = appendSummed(u.pending, text)
	if n := len(u.pending) - from; n > maxUndoLine {
		u.pending = u.pending[:from]
		return fmt.Errorf("a change of %d bytes, more than %d", n, maxUndoLine)
	}
	return nil
}

// Sync makes durable what was appended. After an error the file is not to be used any more.
func (u *Undo) Sync() error {
	if len(u.pending) == 0 {
		return nil
	}
	if _, err := u.file.WriteAt(u.pending, u.synced); err != nil {
		return err
	}
	if err := u.file.Sync(); err != nil {
		return err
	}
	u.synced += int64(len(u.pending))
	u.pending = u.pending[:0]
	return nil
}

// Size is how many bytes of the file are synced.
func (u *Undo) Size() int64 { return u.synced }

// Close closes the file. What was not synced is not in it.
func (u *Undo) Close() error { return u.file.Close() }

// Back says whether changes of a run were taken back.
type Back struct {
	Begun bool  `json:"rolled_back"`
	Ended bool  `json:"rollback_ended,omitempty"` // the last rollback has looked at all changes
	Left  int64 `json:"rollback_left,omitempty"`  // rows that are not as before then
}

// RolledBack says whether changes of a run were taken back, all or some of them. A run that changes nothing in its input has
// no undo file, and never was.
func RolledBack(journal string, run Header, h History) (Back, error) {
	file := UndoFileOf(journal, run, h)
	file.Covered = 0 // what is damaged is not asked for
	r, err := ReadUndo(file)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, ErrUndoDamaged), errors.Is(err, ErrOtherRun): // without a header nothing can be taken back
		return Back{}, nil
	case err != nil:
		return Back{}, err
	}
	defer r.Close()
	info, err := r.file.Stat()
	if covered := h.Last().Output; err == nil && covered > r.used && covered <= info.Size() {
		err = r.seek(covered) // a rollback is behind all changes
	}
	for err == nil || errors.Is(err, ErrUndoDamaged) {
		_, err = r.Next()
	}
	if err == io.EOF {
		err = nil
	}
	return r.back, err
}

// UndoReader reads the changes of a run, in the order in which they were made. Another process may be writing them.
type UndoReader struct {
	file  *os.File
	lines *bufio.Reader
	used  int64 // bytes that were read
	back  Back  // as the file notes so far
	notes int64 // bytes of lines that no run has written
	// covered is how many bytes the journal knows of: no line before that is torn. 0 once their end was told of.
	covered int64
}

// ReadUndo begins to read a file of changes. Errors: [ErrUndoDamaged], [ErrOtherRun], and what the disk says.
func ReadUndo(f UndoFile) (*UndoReader, error) {
	file, err := os.Open(f.Path)
	if err != nil {
		return nil, err
	}
	r := newUndoReader(file)
	r.covered = f.Covered
	header, err := r.header()
	if err != nil {
		err = fmt.Errorf("%s: %w", f.Path, err)
	} else {
		err = f.check(header)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return r, nil
}

func newUndoReader(file *os.File) *UndoReader {
	return &UndoReader{file: file, lines: bufio.NewReaderSize(file, 64<<10)}
}

// seek goes on at a byte where a line begins.
func (r *UndoReader) seek(at int64) error {
	info, err := r.file.Stat()
	if err == nil && info.Size() < at {
		err = fmt.Errorf("it has %d bytes, and the journal knows of %d: it was changed", info.Size(), at)
	}
	if err == nil {
		_, err = r.file.Seek(at, io.SeekStart)
	}
	r.lines.Reset(r.file)
	r.used = at
	return err
}

// header reads the first line.
func (r *UndoReader) header() (UndoHeader, error) {
	l, err := r.line()
	switch {
	case err == io.EOF || err == nil && l.Undo == nil:
		return UndoHeader{}, fmt.Errorf("%w: it has no header", ErrUndoDamaged)
	case err != nil:
		return UndoHeader{}, err
	case l.Undo.Version != undoVersion:
		return *l.Undo, fmt.Errorf("it has format %d, and this version of Meridian reads format %d", l.Undo.Version, undoVersion)
	}
	return *l.Undo, nil
}

// Next returns the next change; [io.EOF] after the last. After [ErrUndoDamaged], which is about one line, it goes on with
// the line behind it.
func (r *UndoReader) Next() (Change, error) {
	for {
		at := r.used
		l, err := r.line()
		switch {
		case err != nil:
			return Change{}, err
		case l.Change != nil && l.Undo == nil && !l.Back && l.Left == nil:
			return *l.Change, nil
		case l.Change == nil && l.Undo == nil && l.Back && l.Left == nil:
			r.back = Back{Begun: true}
		case l.Change == nil && l.Undo == nil && l.Back:
			r.back = Back{Begun: true, Ended: true, Left: *l.Left}
		default:
			return Change{}, fmt.Errorf("%w: the line at byte %d does not belong there", ErrUndoDamaged, at)
		}
	}
}

// line reads one whole line.
func (r *UndoReader) line() (undoLine, error) {
	at := r.used
	l, n, err := readUndoLine(r.lines)
	switch {
	case err == io.EOF && at-r.notes < r.covered:
		err = fmt.Errorf("%w: it ends at byte %d, and the journal knows of %d bytes", ErrUndoDamaged, at, r.covered)
		r.covered = 0
		return l, err
	case !errors.Is(err, ErrUndoDamaged):
		r.used += n
		if l.Back {
			r.notes += n
		}
		return l, err
	}
	damaged := at < r.covered
	if !damaged {
		if damaged, err = r.wholeBehind(at, at+n, errors.Is(err, errHole)); err != nil {
			return l, err
		}
	}
	if !damaged {
		return l, io.EOF
	}
	r.used += n
	if _, err := r.lines.Peek(1); err == io.EOF { // and what is missing behind it
		r.covered = 0
	}
	return l, fmt.Errorf("%w: the line at byte %d does not fit its sum", ErrUndoDamaged, at)
}

// readUndoLine reads a line, and says how many bytes it took.
func readUndoLine(lines *bufio.Reader) (l undoLine, n int64, err error) {
	line, err := readLine(lines, maxUndoLine)
	n = int64(len(line))
	hole := bytes.IndexByte(line, 0) >= 0 // JSON has none
	for errors.Is(err, errLongLine) {     // none of ours; only its end matters
		line, err = readLine(lines, maxUndoLine)
		n += int64(len(line))
		line = nil
	}
	if err != nil {
		return l, n, err
	}
	if n == 0 {
		return l, 0, io.EOF
	}
	if text, ok := cutSum(line); !ok || json.Unmarshal(text, &l) != nil {
		if hole {
			return l, n, errHole
		}
		return l, n, ErrUndoDamaged
	}
	return l, n, nil
}

// errHole is [ErrUndoDamaged] for a line with a hole of zeros.
var errHole = fmt.Errorf("%w: a hole", ErrUndoDamaged)

// wholeBehind says whether there is a whole line from a byte on, and behind a hole one that tells that an earlier byte was
// synced.
func (r *UndoReader) wholeBehind(at, from int64, hole bool) (bool, error) {
	lines := bufio.NewReaderSize(io.NewSectionReader(r.file, from, math.MaxInt64-from), 64<<10)
	for {
		l, _, err := readUndoLine(lines)
		switch {
		case err == nil && (!hole || l.Synced > at):
			return true, nil
		case err == io.EOF:
			return false, nil
		case err != nil && !errors.Is(err, ErrUndoDamaged):
			return false, err
		}
	}
}

// Close closes the file.
func (r *UndoReader) Close() error { return r.file.Close() }
