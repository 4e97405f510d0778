package table

import (
	"context"
	"errors"
	"fmt"

	"meridian/cluster/migrate"
)

// Medium is the medium of a run over a table.
type Medium struct {
	*Table
	way   migrate.Way
	rules migrate.Rules
	input string
	path  string // of the undo file
	most  int    // rows that are gathered for a transaction
	undo  *migrate.Undo
}

// Medium makes a run's medium. A row that another writer changes meanwhile is moved once more in this way and by these
// rules, those of the run; they change no context. Input is what the journal's header calls the table.
func (t *Table) Medium(way migrate.Way, rules migrate.Rules, input, undo string) *Medium {
	return &Medium{Table: t, way: way, rules: rules, input: input, path: undo, most: gathered}
}

// Begin goes on behind the last key of the last checkpoint.
func (m *Medium) Begin(ctx context.Context, h migrate.History) (err error) {
	if len(m.rules.Contexts) > 0 {
		return fmt.Errorf("%w: encryption contexts would change, and the column that the application reads them from would not", ErrUnfit)
	}
	m.run = ctx
	if err := m.TryWrite(ctx); err != nil {
		return err
	}
	if !h.Begun {
		m.undo, err = migrate.CreateUndo(m.path, m.input)
		return err
	}
	last := h.Last()
	if m.undo, err = migrate.OpenUndo(m.path, m.input, last.Output); err != nil {
		return err
	}
	if last.Rows > 0 {
		m.number, m.last, m.after = last.Rows, last.Key, &last.Key
	}
	return nil
}

// gathered is how many rows are written in one transaction where they are not moved together: enough that its end is a
// small part of it, few enough that no row is locked for long.
const gathered = 500

// Gathers is how many rows are best written at once.
func (m *Medium) Gathers() int { return m.most }

// Mark is the key of the last row.
func (m *Medium) Mark() migrate.Mark { return migrate.Mark{Key: m.last} }

// Sync says how large the undo file is. What was written is durable: the database has committed it.
func (m *Medium) Sync() (int64, error) { return m.undo.Size(), nil }

// Close ends the connections.
func (m *Medium) Close() error {
	err := m.Table.Close()
	if m.undo != nil {
		err = errors.Join(err, m.undo.Close())
	}
	return err
}
