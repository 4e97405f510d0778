package table

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// postgres is a table in PostgreSQL.
type postgres struct {
	db     *sql.DB
	layout layout
	// The SQL, which depends on the types of the columns.
	first, next, byKeys, change, guarded string
}

const postgresQuote = '"'

// typed writes a key, given as text, as a value of the key's type.
func (k kind) typed(text, sqlType string) string {
	if k == kindBytes {
		return "decode(" + text + ", 'hex')"
	}
	return text + "::" + sqlType
}

// prepare writes the SQL of a table. The key has a type of its own and, if it is text, the collation of the index that
// makes it unique: in any other two keys might be one, and a page that ends between them would lose the second.
func (p *postgres) prepare(spec Spec, keyType, collation string) {
	quoted := func(name string) string { return "t." + quoteName(name, postgresQuote) }
	key, blob := quoted(spec.Key), quoted(spec.Blob)
	ordered, keyText := key, key+"::text"
	if p.layout.keyKind == kindText {
		ordered += " COLLATE " + collation
	}
	if p.layout.keyKind == kindBytes {
		keyText = "encode(" + key + ", 'hex')"
	}
	exact, array := blob, "bytea[]"
	if p.layout.blobKind == kindText {
		exact, array = blob+` COLLATE "C"`, "text[]"
	}
	bounded := func(column string) string {
		return fmt.Sprintf("coalesce(octet_length(%s), -1), CASE WHEN octet_length(%s) <= %d THEN %s END", column, column, maxColumn, column)
	}
	columns := []string{keyText, bounded(blob)}
	for _, name := range []string{spec.Context, spec.To} {
		if name == "" {
			columns = append(columns, "-1, NULL")
			continue
		}
		columns = append(columns, bounded(quoted(name)+"::text"))
	}
	where := "true"
	if spec.Where != "" {
		where = "(\n" + spec.Where + "\n)" // on lines of its own: it may end with a comment
	}
	list, table := strings.Join(columns, ", ")+", ", p.layout.name
	p.first = fmt.Sprintf("SELECT %strue, 0 FROM %s AS t WHERE %s ORDER BY %s", list, table, where, ordered)
	p.next = fmt.Sprintf("SELECT %strue, 0 FROM %s AS t WHERE %s > %s AND %s ORDER BY %s",
		list, table, ordered, p.layout.keyKind.typed("$1::text", keyType), where, ordered)
	// What is given has names that no table has: those in the condition are of the table alone.
	const given, k, o, n, to = `"meridian v"("meridian k", "meridian o", "meridian n", "meridian to")`, `"meridian k"`, `"meridian o"`, `"meridian n"`, `"meridian to"`
	matches := ordered + " = " + p.layout.keyKind.typed(k, keyType)
	p.byKeys = fmt.Sprintf(`SELECT %scoalesce(%s, false), "meridian place" - 1 FROM unnest($1::text[]) WITH ORDINALITY AS "meridian v"(%s, "meridian place") JOIN %s AS t ON %s`,
		list, where, k, table, matches)
	p.change = fmt.Sprintf("UPDATE %s AS t SET %s = %s FROM unnest($1::text[], $2::%s, $3::%s, $4::text[]) AS %s WHERE %s AND %s = %s",
		table, quoteName(spec.Blob, postgresQuote), n, array, array, given, matches, exact, o)
	p.guarded = p.change + " AND " + where
	if spec.To != "" {
		p.guarded += fmt.Sprintf(` AND coalesce(%s::text, '') COLLATE "C" = %s`, quoted(spec.To), to)
	}
	p.change, p.guarded = p.change+" RETURNING "+k, p.guarded+" RETURNING "+k
}

func (p *postgres) page(ctx context.Context, after *string, rows int) (page []record, cut bool, err error) {
	tx, end, err := p.begin(ctx)
	if err != nil {
		return nil, false, err
	}
	defer end()
	query, args := p.first, []any(nil)
	if after != nil {
		query, args = p.next, []any{*after}
	}
	if page, cut, err = queryPage(ctx, tx, query+limit(rows), args...); err != nil {
		return nil, false, err
	}
	return page, cut, tx.Commit()
}

// limit ends a query after so many rows. The number is part of the text: for a parameter PostgreSQL would plan as for many.
func limit(rows int) string { return fmt.Sprintf(" LIMIT %d", rows) }

func (p *postgres) find(ctx context.Context, keys []string) ([]*record, error) {
	tx, end, err := p.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	records, err := queryRecords(ctx, tx, p.byKeys, keys)
	if err != nil {
		return nil, err
	}
	return byPlace(records, len(keys)), tx.Commit()
}

// begin begins a transaction that waits for no lock longer than it should, of a table or of a row. end undoes what was not
// committed.
func (p *postgres) begin(ctx context.Context) (tx *sql.Tx, end func(), err error) {
	if tx, err = p.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted}); err != nil {
		return nil, nil, err
	}
	end = func() { _ = tx.Rollback() } // the connection is dropped if it fails
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("SET LOCAL lock_timeout = '%ds'", lockWait)); err != nil {
		end()
		return nil, nil, err
	}
	return tx, end, nil
}

// swap is one statement. Rows that another writer holds it waits for a while; where that writer changes them, it sees the
// change and leaves them alone (READ COMMITTED).
func (p *postgres) swap(ctx context.Context, changes []change, guarded bool) ([]bool, error) {
	tx, end, err := p.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	places := make(map[string]int, len(changes))
	keys, to := make([]string, len(changes)), make([]string, len(changes))
	for i, c := range changes {
		keys[i], to[i], places[c.Key] = c.Key, c.to, i
	}
	query := p.change
	if guarded {
		query = p.guarded
	}
	before, after := p.layout.values(changes)
	rows, err := tx.QueryContext(ctx, query, keys, before, after, to)
	if err != nil {
		return nil, err
	}
	made := make([]bool, len(changes))
	for rows.Next() {
		var key string
		if err := rows.Scan(&key); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		made[places[key]] = true
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	if err := p.check(ctx, tx, changes, made); err != nil {
		return nil, err
	}
	return made, tx.Commit()
}

// check fails unless the changes are stored as they were made. RETURNING would not tell what a trigger behind them does.
func (p *postgres) check(ctx context.Context, tx *sql.Tx, changes []change, made []bool) error {
	var done []change
	var keys []string
	for i, c := range changes {
		if made[i] {
			done, keys = append(done, c), append(keys, c.Key)
		}
	}
	records, err := queryRecords(ctx, tx, p.byKeys, keys)
	if err != nil {
		return err
	}
	for i, r := range byPlace(records, len(done)) {
		if r == nil || string(r.blob) != p.layout.columnOf(done[i].After) {
			return errAltered
		}
	}
	return nil
}

// columnOf is a blob as the column has it.
func (l *layout) columnOf(blob []byte) string {
	if l.blobKind == kindText {
		return encode(blob)
	}
	return string(blob)
}

// values are the blobs of changes as the column has them.
func (l *layout) values(changes []change) (before, after any) {
	if l.blobKind == kindBytes {
		b, a := make([][]byte, len(changes)), make([][]byte, len(changes))
		for i, c := range changes {
			b[i], a[i] = c.Before, c.After
		}
		return b, a
	}
	b, a := make([]string, len(changes)), make([]string, len(changes))
	for i, c := range changes {
		b[i], a[i] = encode(c.Before), encode(c.After)
	}
	return b, a
}

// none is no blobs.
func (l *layout) none() any { v, _ := l.values(nil); return v }

// judge goes by the SQLSTATE.
func (p *postgres) judge(err error) trouble {
	var answer *pgconn.PgError
	if !errors.As(err, &answer) {
		return lostOrOther(err)
	}
	switch answer.Code {
	case "40001", "40P01", "55P03": // serialization, deadlock, lock not available
		return troubleBusy
	case "57014": // query canceled
		return troubleCut
	case "57P01", "57P02", "57P03", "57P05", "25P03", "53300": // shut down, crashed, starting, idle too long, too many connections
		return troubleLost
	case "42501": // insufficient privilege
		return troubleDenied
	}
	switch answer.Code[:min(2, len(answer.Code))] {
	case "08":
		return troubleLost
	case "28": // authorization
		return troubleDenied
	case "22", "23", "44", "P0": // data, integrity, WITH CHECK OPTION, RAISE of a trigger
		return troubleRow
	case "25", "53", "58", "F0": // read-only and the like, disk full or no memory, files, configuration
		return troubleOther
	}
	return troubleUnknown
}

func (p *postgres) close() error { return p.db.Close() }
