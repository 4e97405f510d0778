package migrate

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/google/renameio/v2"
)

// Journal is what a run knows of itself on disk. It is a file of lines:
//
//	CRC-32C of what follows, 8 hex digits || space || a JSON object || newline
//
// The first is the [Header], which says what the run is. Each [Checkpoint] after it says that so many rows were read and
// that their output is on disk: the output is synced before the checkpoint is written, and the checkpoint before anybody
// relies on it. With a checkpoint comes what was [Since] the one before. A [Start] says that a process went on from there, and
// an [Opened] what became of the data keys besides. A run that was killed reads the journal, cuts the output back to the last
// checkpoint and goes on from there; rows behind it that had been moved are moved again, which changes nothing but their blobs.
//
// A last line that does not fit its sum was being written when the run was killed, and is cut off. One before it is
// damage, and the journal is refused.
type Journal struct {
	file *os.File
	size int64
}

// Header says what a run is. Another run does not go on with its journal.
type Header struct {
	Version int               `json:"version"` // of the journal's format: 1
	Way     string            `json:"way"`
	From    string            `json:"from"` // region that blobs are moved from
	To      string            `json:"to"`
	Input   string            `json:"input"` // as it was named
	Output  string            `json:"output"`
	Options map[string]string `json:"options,omitempty"` // what else decides about the output: mapping, columns, shard
}

// Checkpoint says how far a run has come.
type Checkpoint struct {
	Rows   int64  `json:"rows"` // that were read, and whose output is on disk
	Mark          // where in the input they end
	Output int64  `json:"out"`    // bytes of the output, all of them synced; 0 where there is none
	Counts Counts `json:"counts"` // of these rows
	Done   bool   `json:"done"`   // there is no more input
}

// Counts sorts rows by what came of them.
type Counts struct {
	Moved  int64 `json:"moved"`
	Kept   int64 `json:"kept"` // they were sealed under the destination's key already
	Failed int64 `json:"failed"`
	// Skipped rows are of keys that are not to be moved.
	Skipped int64 `json:"skipped,omitempty"`
	Others  int64 `json:"others,omitempty"` // they are of other shards
}

// own is how many rows are of this shard.
func (c Counts) own() int64 { return c.Moved + c.Kept + c.Failed + c.Skipped }

// Failure is a row that was not moved.
type Failure struct {
	Row    int64  `json:"row"`
	Line   int64  `json:"line,omitempty"`
	ID     string `json:"id,omitempty"`
	Code   string `json:"code"`
	Reason string `json:"reason"`
}

const (
	maxFailureID     = 256 // bytes of an id that a failure names
	maxFailureReason = 256
	// maxPending is how many failures ask for a checkpoint. In a run that need not keep its order it has at most maxAhead more, and
	// in any run those of a batch more: so its line is bounded.
	maxPending = 5000
	// MaxListed bounds the failures that a [History] lists. [EachFailure] goes through all of them.
	MaxListed = 10_000
	// maxKept bounds the checkpoints that a History has.
	maxKept = 8192
)

// failureOf names a row and why it was not moved.
func failureOf(row *Row, why *RowError) Failure {
	return Failure{Row: row.Number, Line: row.Line, ID: shortened(row.ID, maxFailureID), Code: shortened(why.Code, maxFailureID), Reason: shortened(why.Reason, maxFailureReason)}
}

// shortened cuts a text that is too long for a list, between two characters.
func shortened(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most] + "…"
}

// entry is one line: one of its parts, and with a checkpoint what was since the one before.
type entry struct {
	Header     *Header     `json:"header,omitempty"`
	Start      *Start      `json:"start,omitempty"`
	Checkpoint *Checkpoint `json:"checkpoint,omitempty"`
	Opened     *Opened     `json:"opened,omitempty"`
	Since
}

// kind is which part a line is.
type kind int

const (
	noKind kind = iota // none, or several
	headerKind
	startKind
	checkpointKind
	openedKind
)

func (e *entry) is() (is kind) {
	for k, there := range [...]bool{headerKind: e.Header != nil, startKind: e.Start != nil, checkpointKind: e.Checkpoint != nil, openedKind: e.Opened != nil} {
		switch {
		case there && is != noKind:
			return noKind
		case there:
			is = kind(k)
		}
	}
	return is
}

const (
	journalVersion = 1
	// maxEntry bounds a line of the journal, in bytes.
	maxEntry = 64 << 20
)

var (
	// ErrJournalDamaged says that a journal holds what no run has written.
	ErrJournalDamaged = errors.New("the journal is damaged")
	// ErrOtherRun says that a journal belongs to another run.
	ErrOtherRun = errors.New("the journal belongs to another run")
	// ErrInputChanged says that the input is not what it was when the run began.
	ErrInputChanged = errors.New("the input has changed")
)

// thinned is a list of checkpoints that does not grow: of too many it keeps every second, fourth and so on, and the last.
// They tell where an input was changed, and do it less finely then.
type thinned struct {
	list   []Checkpoint
	seen   int64
	stride int64
}

func (t *thinned) add(c Checkpoint) {
	t.stride = max(t.stride, 1)
	if t.seen%t.stride != 0 {
		t.list = t.list[:len(t.list)-1] // it was there as the last
	} else if len(t.list) == maxKept {
		for i := range maxKept / 2 {
			t.list[i] = t.list[2*i+1]
		}
		t.list = t.list[:maxKept/2]
		t.stride *= 2
	}
	t.list = append(t.list, c)
	t.seen++
}

// CreateJournal begins a journal, which is there with its whole header or not at all. It must not be there before.
func CreateJournal(path string, header Header) (*Journal, error) {
	header.Version = journalVersion
	line, err := entry{Header: &header}.line()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		return nil, errors.Join(err, os.ErrExist)
	}
	if err := renameio.WriteFile(path, line, 0o600); err != nil {
		return nil, err
	}
	if err := syncFolder(path); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	if err := lock(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	announce(file)
	return &Journal{file: file, size: int64(len(line))}, nil
}

// OpenJournal reads the journal of a run that has begun, checks that it is this one, and makes it ready to go on. Errors:
// [ErrInUse], [ErrJournalDamaged], [ErrOtherRun] with the difference, and what the disk says.
func OpenJournal(path string, header Header) (*Journal, History, error) {
	header.Version = journalVersion
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, History{}, err
	}
	if err := lockNamed(file); err != nil {
		return nil, History{}, errors.Join(err, file.Close())
	}
	announce(file)
	found, history, whole, err := readJournal(file, nil)
	if err == nil {
		err = sameRun(found, header)
	}
	if err == nil {
		err = file.Truncate(whole)
	}
	if err != nil {
		return nil, history, errors.Join(err, file.Close())
	}
	return &Journal{file: file, size: whole}, history, nil
}

// ReadJournal reads a journal that another process may be writing.
func ReadJournal(path string) (Header, History, error) {
	return EachFailure(path, nil)
}

// EachFailure reads a journal as [ReadJournal] does, and calls each with every failure, of which a History lists but some.
// An error of each ends it.
func EachFailure(path string, each func(Failure) error) (Header, History, error) {
	file, err := os.Open(path)
	if err != nil {
		return Header{}, History{}, err
	}
	header, history, _, err := readJournal(file, each)
	return header, history, errors.Join(err, file.Close())
}

// readJournal reads the whole lines, and returns how many bytes they take. each, if not nil, is given every failure.
func readJournal(r io.Reader, each func(Failure) error) (header Header, history History, whole int64, err error) {
	lines := bufio.NewReader(r)
	var kept thinned
	for first := true; ; first = false {
		line, err := readLine(lines, maxEntry)
		if errors.Is(err, errLongLine) {
			err = fmt.Errorf("%w: it has a line of more than %d bytes", ErrJournalDamaged, maxEntry)
		}
		if err != nil {
			return header, history, whole, err
		}
		e, ok := parseEntry(line)
		if !ok {
			if _, err := lines.Peek(1); err == io.EOF && !first {
				history.Groups = history.groups.list()
				return header, history, whole, nil // the end, or a last line of which the disk has a part
			}
			if first {
				return header, history, whole, fmt.Errorf("%w, or the file is none: its first line does not fit its sum", ErrJournalDamaged)
			}
			return header, history, whole, fmt.Errorf("%w: the line at byte %d does not fit its sum", ErrJournalDamaged, whole)
		}
		is := e.is()
		switch last := history.Last(); {
		case first != (is == headerKind) || is == noKind:
			return header, history, whole, fmt.Errorf("%w: the line at byte %d does not belong there", ErrJournalDamaged, whole)
		case first:
			history.Begun = true
			if header = *e.Header; header.Version != journalVersion {
				return header, history, whole, fmt.Errorf("the journal has format %d, and this version of Meridian reads format %d", header.Version, journalVersion)
			}
		case is == openedKind:
			history.Opened.add(*e.Opened)
		case is == startKind && !last.Done:
			history.Starts = append(history.Starts, *e.Start)
		case is == startKind || e.Checkpoint.Rows < last.Rows || e.Checkpoint.Input < last.Input || e.Checkpoint.Output < last.Output || last.Done:
			return header, history, whole, fmt.Errorf("%w: the line at byte %d goes back", ErrJournalDamaged, whole)
		default:
			kept.add(*e.Checkpoint)
			history.Checkpoints = kept.list
			history.add(e.Since)
			for _, f := range e.Failures {
				if each == nil {
					break
				}
				if err := each(f); err != nil {
					return header, history, whole, err
				}
			}
		}
		whole += int64(len(line))
	}
}

// parseEntry reads one line, its end included.
func parseEntry(line []byte) (e entry, ok bool) {
	text, ok := cutSum(line)
	return e, ok && json.Unmarshal(text, &e) == nil
}

// sameRun says what differs between the run that began a journal and this one.
func sameRun(found, want Header) error {
	differs := func(what, was, is string) error {
		if was == is {
			return nil
		}
		return fmt.Errorf("%s was %q and is %q now", what, was, is)
	}
	errs := []error{
		differs("way", found.Way, want.Way), differs("source region", found.From, want.From), differs("destination region", found.To, want.To),
		differs("input", found.Input, want.Input), differs("output", found.Output, want.Output),
	}
	for name, is := range want.Options {
		errs = append(errs, differs(name, found.Options[name], is))
	}
	for name, was := range found.Options {
		if _, there := want.Options[name]; !there {
			errs = append(errs, differs(name, was, ""))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%w: %s", ErrOtherRun, strings.ReplaceAll(err.Error(), "\n", ", "))
	}
	return nil
}

// Start writes that a process goes on with the run, and syncs it.
func (j *Journal) Start(s Start) error { return j.append(entry{Start: &s}) }

// Checkpoint writes how far the run has come, with what was since the last one, and syncs it. The output has to be synced
// before.
func (j *Journal) Checkpoint(c Checkpoint, since Since) error {
	return j.append(entry{Checkpoint: &c, Since: since})
}

// line writes an entry with its sum and end.
func (e entry) line() ([]byte, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	line := appendSummed(nil, text)
	if len(line) > maxEntry {
		return nil, fmt.Errorf("a journal's line of %d bytes, more than %d", len(line), maxEntry)
	}
	return line, nil
}

// append writes a line and syncs it.
func (j *Journal) append(e entry) error {
	line, err := e.line()
	if err != nil {
		return err
	}
	if _, err := j.file.WriteAt(line, j.size); err != nil {
		return err
	}
	if err := j.file.Sync(); err != nil {
		return err
	}
	j.size += int64(len(line))
	return nil
}

// Close closes the file.
func (j *Journal) Close() error { return j.file.Close() }
