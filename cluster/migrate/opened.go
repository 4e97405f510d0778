package migrate

import (
	"errors"
	"os"
	"time"
)

// Opened notes in a journal that a verification is about to have data keys of the run in clear in its memory.
type Opened struct {
	At time.Time `json:"at"`
}

// Openings are those that a journal notes.
type Openings struct {
	Times int64     `json:"times"`
	Last  time.Time `json:"last"`
}

func (o *Openings) add(one Opened) {
	o.Times++
	if one.At.After(o.Last) {
		o.Last = one.At
	}
}

// NoteOpened notes in the journal of a run that is not at work that its data keys are opened now, and syncs it. Errors:
// [ErrInUse], [ErrJournalDamaged], and what the disk says.
func NoteOpened(path string) (err error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := lockNamed(file); err != nil {
		return err
	}
	_, _, whole, err := readJournal(file, nil)
	if err == nil {
		err = file.Truncate(whole)
	}
	if err != nil {
		return err
	}
	j := Journal{file: file, size: whole}
	return j.append(entry{Opened: &Opened{At: now()}})
}
