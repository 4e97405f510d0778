// Package table moves the data keys of a table of PostgreSQL, MySQL or MariaDB, where they are.
//
// Rows are read a page at a time in the order of a unique key, each page a statement of its own, and a new blob is written
// only where the old one still is, compared byte by byte: where another writer was faster, what it wrote stays, and is moved
// in turn. Nothing is locked but the rows of a batch while it is written. Old blobs go to the undo file first
// ([migrate.Undo]).
//
// A row that is inserted behind the place that a run has reached is not seen by it. A second run finds it, and keeps what
// the first has moved.
package table

import (
	"context"
	"errors"
	"fmt"
	"io"

	"meridian/cluster/migrate"
)

// Table is a table whose rows hold data keys.
type Table struct {
	source *Source
	spec   Spec
	db     database
	layout layout
	run    context.Context // of a medium: nothing is waited for when it has ended; nil: there is none

	page   []record // read and not returned yet
	rows   int      // that the next page is to have
	after  *string  // the last key that was read
	last   string   // the last key that was returned
	number int64    // of the row that was returned last
	ended  bool
}

// Open connects and finds out whether the table can be moved. Errors: [ErrUnfit] and [ErrNoTable] with what is wrong, and
// an [*Error] with what the server or the network says.
func Open(ctx context.Context, source *Source, spec Spec) (*Table, error) {
	if err := spec.Check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnfit, err)
	}
	if spec.Page == 0 {
		spec.Page = defaultPage
	}
	t := &Table{source: source, spec: spec}
	if source.postgres != nil {
		p, err := opened(ctx, spec, func() (*postgres, error) { return openPostgresTable(ctx, source, spec) })
		if err != nil {
			return nil, err
		}
		t.db, t.layout = p, p.layout
		return t, nil
	}
	m, err := opened(ctx, spec, func() (*mySQL, error) { return openMySQLTable(ctx, source, spec) })
	if err != nil {
		return nil, err
	}
	t.db, t.layout = m, m.layout
	return t, nil
}

// opened opens a table, again while the server is away or the table locked, for a short while.
func opened[D database](ctx context.Context, spec Spec, open func() (D, error)) (D, error) {
	var db D // of nil: it is only to judge
	d, err := again(ctx, db, patience{time: openTime}, open)
	return d, failure(db, "opening table "+spec.Table, err)
}

// Name names database and table, without user and password.
func (t *Table) Name() string { return t.source.String() + " " + t.layout.name }

// KeyOrder says what decides about the order of the keys. A run goes on behind a key, so a run in another order is another run:
// it would pass over rows.
func (t *Table) KeyOrder() string { return t.layout.order }

// Rows is about how many rows the table has; -1 if the database does not know.
func (t *Table) Rows() int64 { return t.layout.rows }

// TryWrite finds out whether server and rights allow to write, and writes nothing.
func (t *Table) TryWrite(ctx context.Context) error {
	_, err := t.probe(ctx, patience{time: openTime})
	return failure(t.db, "trying to write the table", err)
}

// probe waits until the table can be written, and says whether it had to.
func (t *Table) probe(ctx context.Context, p patience) (waited bool, err error) {
	tries := 0
	_, err = again(ctx, t.db, p, func() (struct{}, error) {
		tries++
		return struct{}{}, t.db.tryWrite(ctx)
	})
	return tries > 1, err
}

// Close ends the connections; of no table it does nothing.
func (t *Table) Close() error {
	if t == nil {
		return nil
	}
	return t.db.close()
}

// Next returns the next row in the order of keys; [io.EOF] after the last.
func (t *Table) Next(ctx context.Context) (*migrate.Row, error) {
	if len(t.page) == 0 && !t.ended {
		if err := t.readPage(ctx); err != nil {
			return nil, err
		}
	}
	if len(t.page) == 0 {
		return nil, io.EOF
	}
	r := t.page[0]
	t.page = t.page[1:]
	t.last = r.key
	t.number++
	return t.row(r, t.number), nil
}

// readPage reads the rows behind the last one.
func (t *Table) readPage(ctx context.Context) error {
	if t.rows == 0 {
		t.rows = t.spec.Page
	}
	cut := false
	page, err := again(ctx, t.db, t.tries(lookTries), func() (page []record, err error) {
		page, cut, err = t.db.page(ctx, t.after, t.rows)
		return page, err
	})
	if err != nil {
		return failure(t.db, "reading the table", err)
	}
	if len(page) > 0 && t.after != nil && page[0].key == *t.after {
		return errors.New("the database returned a row again: is the condition one that AND can follow?")
	}
	t.page, t.ended = page, !cut && len(page) < t.rows
	if len(page) > 0 {
		t.after = &page[len(page)-1].key
	}
	t.rows = t.nextRows(page, cut)
	return nil
}

// nextRows says how many rows to ask for after a page: as many as fit, for the server sends what it was asked for.
func (t *Table) nextRows(page []record, cut bool) int {
	if cut {
		return len(page)
	}
	size := 0
	for i := range page {
		size += page[i].bytes()
	}
	if size > maxPage/2 {
		return t.rows
	}
	return min(2*t.rows, t.spec.Page)
}

// row makes a row of what the database has.
func (t *Table) row(r record, number int64) *migrate.Row {
	row := &migrate.Row{Number: number, ID: r.key}
	switch {
	case r.size < 0:
		row.Refuse(migrate.FaultNoBlob, "the column is NULL; a condition leaves such rows out")
	case r.size > maxColumn:
		row.Refuse(migrate.FaultNoBlob, "the column has %d bytes; no blob has more than %d", r.size, maxColumn)
	case t.layout.blobKind == kindText:
		row.ReadBlob(string(r.blob))
	default:
		row.Blob = r.blob
	}
	switch {
	case r.context.size > maxColumn:
		row.Refuse(migrate.FaultContext, "it has more than %d bytes", maxColumn)
	case r.context.size > 0:
		row.ReadContext([]byte(*r.context.value))
	}
	switch {
	case r.to.size > maxColumn:
		row.Refuse(migrate.FaultNoTarget, "the name of the key to seal it under has more than %d bytes", maxColumn)
	case r.to.size > 0:
		row.To = *r.to.value
	}
	return row
}

// fits says whether a blob has room in its column.
func (t *Table) fits(blob []byte) *migrate.RowError {
	size := int64(len(blob))
	if t.layout.blobKind == kindText {
		size = int64(len(encode(blob)))
	}
	if t.layout.most == 0 || size <= t.layout.most {
		return nil
	}
	return migrate.FaultOf(FaultTooLong, "the new blob takes %d, and column %q holds %d", size, t.spec.Blob, t.layout.most)
}

// Faults of rows in tables, besides those of migrate.
const (
	FaultTooLong  = "ColumnTooShort"  // the new blob has no room
	FaultLocked   = "Locked"          // another transaction holds the row all the time
	FaultDatabase = "RefusedByServer" // the database does not take the new blob: a constraint, a trigger
)
