package table

import (
	"context"

	"meridian/cluster/migrate"
)

// Write puts the new blobs where the old ones still are. A row that another writer has changed since it was read is read
// again, moved and written once more; one that is changed then as well, or deleted, fails. One that does not meet the
// condition any more is left as it is.
func (m *Medium) Write(ctx context.Context, rows []*migrate.Row, outcomes []migrate.Outcome) error {
	left, err := m.replace(ctx, rows, outcomes)
	if err != nil || len(left) == 0 {
		return err
	}
	again, places, err := m.reread(ctx, rows, outcomes, left)
	if err != nil || len(again) == 0 {
		return err
	}
	for _, row := range again {
		m.rules.Apply(row)
	}
	moved, err := migrate.MoveBatch(ctx, m.way, again)
	if err != nil {
		return err
	}
	if left, err = m.replace(ctx, again, moved); err != nil {
		return err
	}
	for _, l := range left {
		why := migrate.FaultOf(migrate.FaultChanged, "another writer changed the row twice meanwhile; what it wrote stays")
		if l.found == migrate.FoundBefore {
			why = migrate.FaultOf(FaultDatabase, "the database did not take the write and gave no error, as where a trigger or rule passes over it; the old ciphertext is still there")
		}
		moved[l.place] = failed(moved[l.place], why)
	}
	for i, place := range places {
		outcomes[place] = moved[i]
	}
	return nil
}

// failed is an outcome that is none any more.
func failed(o migrate.Outcome, why *migrate.RowError) migrate.Outcome {
	return migrate.Outcome{Status: migrate.Failed, From: o.From, Fault: why}
}

// leftOut is the outcome of a row that stays because it does not meet the condition any more.
func leftOut(o migrate.Outcome) migrate.Outcome {
	return migrate.Outcome{Status: migrate.Skipped, From: o.From}
}

// leftRow is a row that was not written, though no error says why.
type leftRow struct {
	place int
	found migrate.Found
}

// replace writes what was moved, its old blobs into the undo file first. It returns the rows that do not hold the new blob,
// and turns what the database refuses into failures.
func (m *Medium) replace(ctx context.Context, rows []*migrate.Row, outcomes []migrate.Outcome) (left []leftRow, err error) {
	var changes []change
	var undo []migrate.Change
	var places []int
	for i, row := range rows {
		o := &outcomes[i]
		if o.Status != migrate.Moved {
			continue
		}
		if refused := m.fits(o.Blob); refused != nil {
			*o = failed(*o, refused)
			continue
		}
		c := change{migrate.Change{Row: row.Number, Key: row.ID, Before: row.Blob, After: o.Blob}, row.To}
		changes, undo = append(changes, c), append(undo, c.Change)
		places = append(places, i)
	}
	if len(changes) == 0 {
		return nil, nil
	}
	if err := m.undo.Append(undo...); err != nil {
		return nil, err
	}
	if err := m.undo.Sync(); err != nil {
		return nil, err
	}
	results, err := m.swapAll(ctx, changes, true)
	if err != nil {
		return nil, failure(m.db, "writing the table", err)
	}
	for i, r := range results {
		switch {
		case r.refused != nil:
			outcomes[places[i]] = failed(outcomes[places[i]], r.refused)
		case r.found == migrate.FoundNone:
			outcomes[places[i]] = failed(outcomes[places[i]], migrate.FaultOf(migrate.FaultChanged, "another writer deleted the row meanwhile"))
		case r.found == migrate.FoundAfter:
		case r.outside:
			outcomes[places[i]] = leftOut(outcomes[places[i]])
		default:
			left = append(left, leftRow{places[i], r.found})
		}
	}
	return left, nil
}

// reread reads rows that were left, and returns those that are still there with their places.
func (m *Medium) reread(ctx context.Context, rows []*migrate.Row, outcomes []migrate.Outcome, left []leftRow) (fresh []*migrate.Row, places []int, err error) {
	keys := make([]string, len(left))
	for i, l := range left {
		keys[i] = rows[l.place].ID
	}
	records, err := m.lookUp(ctx, keys)
	if err != nil {
		return nil, nil, err
	}
	for i, l := range left {
		r, place := records[i], l.place
		if r == nil {
			outcomes[place] = failed(outcomes[place], migrate.FaultOf(migrate.FaultChanged, "another writer deleted the row meanwhile"))
			continue
		}
		if !r.meets {
			outcomes[place] = leftOut(outcomes[place])
			continue
		}
		row := m.row(*r, rows[place].Number)
		row.ID = keys[i] // one row has one name in a run, whatever became of the letters
		fresh, places = append(fresh, row), append(places, place)
	}
	return fresh, places, nil
}
