package migrate

import (
	"cmp"
	"context"
	"errors"
	"io"
	"maps"
	"slices"
)

// Faults of rows that stay where they are.
const (
	// FaultRefused: it could not be put back, and may be later.
	FaultRefused = "Refused"
	// FaultUndo: the undo file is damaged where the row's change was.
	FaultUndo = "UndoDamaged"
)

// Found is what was where a change is to be taken back.
type Found string

const (
	FoundAfter  Found = "after"  // what the change put there; it was taken back
	FoundBefore Found = "before" // what was there before the change
	FoundOther  Found = "other"  // something else, which stays
	FoundNone   Found = "none"   // nothing: the row is gone
	// FoundRefused: what the change put there, and it cannot be taken back now; or it cannot even be looked at.
	FoundRefused Found = "refused"
)

// Restorer puts back what changes have replaced.
type Restorer interface {
	// Restore puts Before back wherever After still is, all of them or those it can, durably, and says what it found at
	// each. No key is there twice. With dry it only looks.
	Restore(ctx context.Context, changes []Change, dry bool) ([]Found, error)
}

// reserver is a place that no run and no other rollback may change meanwhile.
type reserver interface{ reserve() error }

// Rollback is what came of taking a run back. Changes is the sum of the four behind it.
type Rollback struct {
	Changes  int64 `json:"changes"`   // in the undo file, damaged lines included
	Restored int64 `json:"restored"`  // rows that are as before the run again
	AsBefore int64 `json:"as_before"` // changes that were not made, or taken back earlier
	Repeated int64 `json:"repeated"`  // changes of rows that another change of theirs accounts for: a run that was killed noted them twice
	Left     int64 `json:"left"`      // rows that others have changed, and damaged lines
	// Failures name them, [MaxPlanned] at the most.
	Failures []Failure `json:"failures,omitempty"`
	Cut      int64     `json:"failures_cut,omitempty"` // how many more there are
}

// restoreBatch is how many changes are taken back at a time.
const restoreBatch = 500

// RollBack puts back what a run has replaced, as its undo file says, whether the run is done or not. The run cannot go on
// afterwards. It may be ended at any moment and started again. With dry nothing is changed. Memory grows with the rows that
// others have changed, and with nothing else. Errors: [ErrInUse] while the run goes on, [ErrFolderInUse] while another one
// goes on over the same folder, [ErrUndoDamaged] if the file has no header, [ErrOtherRun], the restorer's, the disk's.
// Progress, if not nil, is called now and then.
func RollBack(ctx context.Context, file UndoFile, to Restorer, dry bool, progress func(Rollback)) (*Rollback, error) {
	r, err := ReadUndo(file)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b := &rollback{to: to, dry: dry, left: map[string]leftRow{}, progress: progress}
	end := func() error { return nil }
	if !dry {
		if place, ok := to.(reserver); ok { // first: a rollback that is refused here was none
			if err := place.reserve(); err != nil {
				return nil, err
			}
		}
		noted, err := beginRollback(file)
		if err != nil {
			return nil, err
		}
		defer noted.Close()
		end = func() error { return noted.EndRollBack(b.Left) }
	}
	if err := b.all(ctx, r); err != nil {
		return &b.Rollback, err
	}
	b.finish()
	return &b.Rollback, end()
}

// beginRollback keeps the run from going on, now and later.
func beginRollback(file UndoFile) (*Undo, error) {
	u, err := lockUndo(file)
	if err != nil {
		return nil, err
	}
	if err := u.RollBack(); err != nil {
		return nil, errors.Join(err, u.Close())
	}
	return u, nil
}

type rollback struct {
	Rollback
	to       Restorer
	dry      bool
	progress func(Rollback)
	batch    []Change
	keys     map[string]bool    // of the batch
	left     map[string]leftRow // by key: where no change so far explains what is there
}

type leftRow struct {
	number int64
	found  Found
}

// failure says why a row was left.
func (l leftRow) failure(key string) Failure {
	f := Failure{Row: l.number, ID: key, Code: FaultChanged, Reason: "another writer has changed it since; it stays as it is"}
	switch l.found {
	case FoundNone:
		f.Reason = "another writer has deleted it since"
	case FoundRefused:
		f.Code, f.Reason = FaultRefused, "it is locked, may not be read or written, or what was there before is refused; it can be tried again"
	}
	return f
}

func (b *rollback) all(ctx context.Context, r *UndoReader) error {
	for {
		c, err := r.Next()
		switch {
		case err == io.EOF:
			return b.restore(ctx)
		case errors.Is(err, ErrUndoDamaged):
			b.Changes, b.Left = b.Changes+1, b.Left+1
			if len(b.Failures) < MaxPlanned {
				b.Failures = append(b.Failures, Failure{Code: FaultUndo, Reason: err.Error()})
			}
			continue
		case err != nil:
			return err
		}
		if b.keys[c.Key] || len(b.batch) == restoreBatch {
			if err := b.restore(ctx); err != nil {
				return err
			}
		}
		if b.keys == nil {
			b.keys = map[string]bool{}
		}
		b.batch, b.keys[c.Key] = append(b.batch, c), true
	}
}

// restore takes the changes of a batch back.
func (b *rollback) restore(ctx context.Context) error {
	if len(b.batch) == 0 {
		return nil
	}
	found, err := b.to.Restore(ctx, b.batch, b.dry)
	if err != nil {
		return err
	}
	for i, c := range b.batch {
		b.Changes++
		if _, twice := b.left[c.Key]; twice {
			b.Repeated++
		}
		switch found[i] {
		case FoundAfter:
			b.Restored++
			delete(b.left, c.Key)
		case FoundBefore:
			b.AsBefore++
			delete(b.left, c.Key)
		default: // unless a later change of this key explains what is there
			b.left[c.Key] = leftRow{c.Row, found[i]}
		}
	}
	b.batch = b.batch[:0]
	clear(b.keys)
	if b.progress != nil {
		b.progress(b.Rollback)
	}
	return nil
}

// finish names the rows that others have changed.
func (b *rollback) finish() {
	b.Left += int64(len(b.left))
	byRow := func(k, l string) int {
		return cmp.Or(cmp.Compare(b.left[k].number, b.left[l].number), cmp.Compare(k, l))
	}
	for _, key := range slices.SortedFunc(maps.Keys(b.left), byRow) {
		if len(b.Failures) == MaxPlanned {
			break
		}
		b.Failures = append(b.Failures, b.left[key].failure(key))
	}
	b.Cut = b.Left - int64(len(b.Failures))
}
