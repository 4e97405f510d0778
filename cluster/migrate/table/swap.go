package table

import (
	"context"
	"errors"

	"meridian/cluster/migrate"
)

// errAltered says that a row did not hold what was written into it, in the same transaction. A trigger may have made
// something else of it, which no rollback would know.
var errAltered = errors.New("a trigger or rule of the table changes what is written, or the key; it was undone")

// swapped is what came of a change.
type swapped struct {
	made    bool              // by this call
	found   migrate.Found     // what is there: After also where an earlier attempt had put it there
	outside bool              // the row does not meet the condition, any more
	refused *migrate.RowError // by the database, for good; found says nothing then
}

// swapAll makes changes, all at once if the database takes them so, else each by itself: what is wrong with one row stops
// no other. Where it is the whole table that cannot be written, it waits, or says so: an error says that nobody knows which
// were made.
func (t *Table) swapAll(ctx context.Context, changes []change, guarded bool) ([]swapped, error) {
	results, err := t.swapOnce(ctx, changes, guarded)
	if err == nil {
		return results, nil
	}
	judged := t.db.judge(err)
	if errors.Is(err, errAltered) {
		judged = troubleRow
	}
	if judged == troubleOther || judged == troubleLost {
		return nil, err
	}
	if judged != troubleRow { // is it the row, or the whole table?
		waited, err := t.probe(ctx, t.tries(0))
		if err != nil {
			return nil, err
		}
		if waited {
			return t.swapAll(ctx, changes, guarded)
		}
	}
	switch {
	case len(changes) == 1 && judged == troubleBusy:
		return []swapped{{refused: migrate.FaultOf(FaultLocked, "another transaction held the row all the time")}}, nil
	case len(changes) == 1 && judged == troubleCut:
		return []swapped{{refused: migrate.FaultOf(FaultDatabase, "the server ended the statement each time: %v", err)}}, nil
	case len(changes) == 1:
		return []swapped{{refused: migrate.FaultOf(FaultDatabase, "%v", err)}}, nil
	}
	results = results[:0]
	for i := range changes {
		one, err := t.swapAll(ctx, changes[i:i+1], guarded)
		if err != nil {
			return nil, err
		}
		results = append(results, one...)
	}
	return results, nil
}

// swapOnce makes changes in one transaction, again while the database is busy or away. Where a change was not made it looks
// what is there.
func (t *Table) swapOnce(ctx context.Context, changes []change, guarded bool) ([]swapped, error) {
	tries := batchTries
	if len(changes) == 1 {
		tries = rowTries
	}
	made, err := again(ctx, t.db, t.tries(tries), func() ([]bool, error) {
		ctx, cancel := context.WithTimeout(ctx, statementTime)
		defer cancel()
		return t.db.swap(ctx, changes, guarded)
	})
	if err != nil {
		return nil, err
	}
	results := make([]swapped, len(changes))
	var left []string
	var places []int
	for i, c := range changes {
		if results[i] = (swapped{made: made[i], found: migrate.FoundAfter}); !made[i] {
			left, places = append(left, c.Key), append(places, i)
		}
	}
	if len(left) == 0 {
		return results, nil
	}
	records, err := t.lookUp(ctx, left)
	if err != nil {
		return nil, err
	}
	for i, r := range records {
		result := &results[places[i]]
		result.found, result.outside = t.compare(changes[places[i]].Change, r), r != nil && !r.meets
	}
	return results, nil
}

// lookUp reads the row of each key, nil where there is none.
func (t *Table) lookUp(ctx context.Context, keys []string) ([]*record, error) {
	records, err := again(ctx, t.db, t.tries(lookTries), func() ([]*record, error) {
		ctx, cancel := context.WithTimeout(ctx, statementTime)
		defer cancel()
		return t.db.find(ctx, keys)
	})
	return records, failure(t.db, "reading rows of the table", err)
}

// compare says what is where a change was to be made.
func (t *Table) compare(c migrate.Change, r *record) migrate.Found {
	if r == nil {
		return migrate.FoundNone
	}
	row := t.row(*r, c.Row)
	switch {
	case row.Blob == nil:
	case string(row.Blob) == string(c.After):
		return migrate.FoundAfter
	case string(row.Blob) == string(c.Before):
		return migrate.FoundBefore
	}
	return migrate.FoundOther
}
