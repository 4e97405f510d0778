package table

import (
	"context"
	"io"

	"meridian/cluster/migrate"
)

// Pairs reads what a run has changed: blobs as they were, of its undo file, and as they are, of the table.
type Pairs struct {
	table   *Table
	changes *migrate.UndoReader
	ready   []pair
	ended   bool
	// changed are the keys where neither blob of the changes so far is found.
	changed map[string]bool
	back    int64
}

type pair struct{ before, after *migrate.Row }

// Pairs begins to read. The undo file has to be of a run over the table.
func (t *Table) Pairs(undo migrate.UndoFile) (*Pairs, error) {
	changes, err := migrate.ReadUndo(undo)
	if err != nil {
		return nil, err
	}
	return &Pairs{table: t, changes: changes, changed: map[string]bool{}}, nil
}

// Next returns the next row as it was and as it is; [io.EOF] after the last. Rows that others have changed or deleted since
// are left out and counted, and so are changes that were never made or were taken back.
func (p *Pairs) Next(ctx context.Context) (before, after *migrate.Row, err error) {
	for len(p.ready) == 0 {
		if p.ended {
			return nil, nil, io.EOF
		}
		if err := p.fill(ctx); err != nil {
			return nil, nil, err
		}
	}
	next := p.ready[0]
	p.ready = p.ready[1:]
	return next.before, next.after, nil
}

// pairBatch is how many rows are looked up at a time.
const pairBatch = 500

func (p *Pairs) fill(ctx context.Context) error {
	var changes []migrate.Change
	for len(changes) < pairBatch {
		c, err := p.changes.Next()
		if err == io.EOF {
			p.ended = true
			break
		}
		if err != nil {
			return err
		}
		changes = append(changes, c)
	}
	keys := make([]string, len(changes))
	for i, c := range changes {
		keys[i] = c.Key
	}
	records, err := p.table.lookUp(ctx, keys)
	if err != nil {
		return err
	}
	for i, c := range changes {
		switch p.table.compare(c, records[i]) {
		case migrate.FoundAfter:
			delete(p.changed, c.Key)
			after := p.table.row(*records[i], c.Row)
			before := *after
			before.Blob, before.Fault = c.Before, nil // the run could read it
			p.ready = append(p.ready, pair{&before, after})
		case migrate.FoundBefore:
			delete(p.changed, c.Key)
			p.back++
		default: // unless a later change of this key explains what is there
			p.changed[c.Key] = true
		}
	}
	return nil
}

// Changed is how many rows others have changed or deleted since the run moved them.
func (p *Pairs) Changed() int64 { return int64(len(p.changed)) }

// NotMade is how many changes were never made, or were taken back.
func (p *Pairs) NotMade() int64 { return p.back }

// Close closes the undo file.
func (p *Pairs) Close() error { return p.changes.Close() }
