package table

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// mySQL is a table in MySQL or MariaDB.
type mySQL struct {
	db     *sql.DB
	many   *sql.DB // takes several statements at once
	layout layout
	// The SQL. Between both parts of byKey is a place; change and guarded are one statement.
	first, next, change, guarded string
	byKey                        [2]string
	blobs                        string // ends before the list of keys
	guards                       bool   // guarded takes the destination as well
}

const mySQLQuote = '`'

// prepare writes the SQL of a table. Keys are compared and ordered by the column's own collation, which is the one of its
// unique index: no two keys are one in it.
func (m *mySQL) prepare(spec Spec) {
	quoted := func(name string) string { return "t." + quoteName(name, mySQLQuote) }
	key, blob := quoted(spec.Key), quoted(spec.Blob)
	keyText := key
	if m.layout.keyKind == kindBytes {
		keyText = "HEX(" + key + ")"
	}
	exact := blob
	if m.layout.blobKind == kindText {
		exact = "CAST(CONVERT(" + blob + " USING utf8mb4) AS BINARY)" // the column's collation may take one letter for another
	}
	bounded := func(column string) string {
		return fmt.Sprintf("COALESCE(OCTET_LENGTH(%s), -1), CASE WHEN OCTET_LENGTH(%s) <= %d THEN %s END", column, column, maxColumn, column)
	}
	columns := []string{keyText, bounded(blob)}
	for _, name := range []string{spec.Context, spec.To} {
		if name == "" {
			columns = append(columns, "-1, NULL")
			continue
		}
		columns = append(columns, bounded(quoted(name)))
	}
	where := "TRUE"
	if spec.Where != "" {
		where = "(\n" + spec.Where + "\n)" // on lines of its own: it may end with a comment
	}
	list, table := strings.Join(columns, ", ")+", ", m.layout.name
	m.first = fmt.Sprintf("SELECT %sTRUE, 0 FROM %s AS t WHERE %s ORDER BY %s", list, table, where, key)
	m.next = fmt.Sprintf("SELECT %sTRUE, 0 FROM %s AS t WHERE %s > ? AND %s ORDER BY %s", list, table, key, where, key)
	m.byKey[0] = fmt.Sprintf("SELECT %sCASE WHEN %s THEN TRUE ELSE FALSE END, ", list, where)
	m.byKey[1] = fmt.Sprintf(" FROM %s AS t WHERE %s = ?;", table, key)
	m.blobs = fmt.Sprintf("SELECT CASE WHEN OCTET_LENGTH(%s) <= %d THEN %s END FROM %s AS t WHERE %s IN ", blob, maxColumn, blob, table, key)
	m.change = fmt.Sprintf("UPDATE %s AS t SET %s = ? WHERE %s = ? AND %s = ?", table, blob, key, exact)
	m.guarded = m.change + " AND " + where
	if spec.To != "" {
		m.guarded += " AND CAST(CONVERT(COALESCE(" + quoted(spec.To) + ", '') USING utf8mb4) AS BINARY) = ?"
		m.guards = true
	}
	m.change, m.guarded = m.change+";", m.guarded+";"
}

// keyValue is a key as a parameter of its column's type, so that its index is used.
func (m *mySQL) keyValue(key string) (any, error) {
	switch m.layout.keyKind {
	case kindInteger:
		return strconv.ParseInt(key, 10, 64)
	case kindUnsigned:
		return strconv.ParseUint(key, 10, 64)
	case kindBytes:
		return hex.DecodeString(key)
	default:
		return key, nil
	}
}

func (m *mySQL) page(ctx context.Context, after *string, rows int) (page []record, cut bool, err error) {
	if after == nil {
		return queryPage(ctx, m.db, m.first+limit(rows))
	}
	key, err := m.keyValue(*after)
	if err != nil {
		return nil, false, err
	}
	return queryPage(ctx, m.db, m.next+limit(rows), key)
}

// find sends one statement a key, many at a time: only so it tells which key each row was found by.
func (m *mySQL) find(ctx context.Context, keys []string) ([]*record, error) {
	found := make([]*record, len(keys))
	for next := 0; next < len(keys); {
		var text strings.Builder
		var args []any
		for size := 0; next < len(keys); next++ {
			if size += len(m.byKey[0]) + len(m.byKey[1]) + 2*len(keys[next]) + 64; size > maxStatements && len(args) > 0 {
				break
			}
			key, err := m.keyValue(keys[next])
			if err != nil {
				return nil, err
			}
			text.WriteString(m.byKey[0] + strconv.Itoa(next) + m.byKey[1])
			args = append(args, key)
		}
		records, err := queryRecords(ctx, m.many, text.String(), args...)
		if err != nil {
			return nil, err
		}
		for i := range records {
			found[records[i].place] = &records[i]
		}
	}
	return found, nil
}

// maxStatements bounds what is sent to the server at once, in bytes: less than the smallest max_allowed_packet in use.
const maxStatements = 1 << 20

// swap sends one statement a row, many at a time: each finds its row by the unique key, and so locks that row and no other.
func (m *mySQL) swap(ctx context.Context, changes []change, guarded bool) ([]bool, error) {
	conn, err := m.many.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	made, err := m.transaction(ctx, conn, changes, guarded)
	if err == nil {
		return made, nil
	}
	if _, undone := conn.ExecContext(ctx, "ROLLBACK"); undone != nil {
		drop := func(any) error { return driver.ErrBadConn } // nobody uses this connection again; the server undoes what was begun
		_ = conn.Raw(drop)
	}
	return nil, err
}

func (m *mySQL) transaction(ctx context.Context, conn *sql.Conn, changes []change, guarded bool) ([]bool, error) {
	if _, err := conn.ExecContext(ctx, "START TRANSACTION"); err != nil {
		return nil, err
	}
	made := make([]bool, 0, len(changes))
	for len(made) < len(changes) {
		some, err := m.send(ctx, conn, changes[len(made):], guarded)
		if err != nil {
			return nil, err
		}
		if err := m.check(ctx, conn, changes[len(made):], some); err != nil {
			return nil, err
		}
		made = append(made, some...)
	}
	_, err := conn.ExecContext(ctx, "COMMIT")
	return made, err
}

// check fails unless the first changes are stored as they were made. One statement reads them all, and need not say which is
// which: no two ciphertexts are one.
func (m *mySQL) check(ctx context.Context, conn *sql.Conn, changes []change, made []bool) error {
	want := map[string]int{}
	var keys []any
	for i, is := range made {
		if !is {
			continue
		}
		key, err := m.keyValue(changes[i].Key)
		if err != nil {
			return err
		}
		keys = append(keys, key)
		want[m.layout.columnOf(changes[i].After)]++
	}
	if len(keys) == 0 {
		return nil
	}
	rows, err := conn.QueryContext(ctx, m.blobs+"(?"+strings.Repeat(", ?", len(keys)-1)+")", keys...)
	if err != nil {
		return err
	}
	for rows.Next() {
		var blob sql.RawBytes
		if err := rows.Scan(&blob); err != nil {
			return errors.Join(err, rows.Close())
		}
		if want[string(blob)]--; want[string(blob)] == 0 {
			delete(want, string(blob))
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	if len(want) > 0 { // of what is missing, or there instead
		return errAltered
	}
	return nil
}

// send makes the first changes, as many as are sent at once.
func (m *mySQL) send(ctx context.Context, conn *sql.Conn, changes []change, guarded bool) (made []bool, err error) {
	statements, n, args, err := m.statements(changes, guarded)
	if err != nil {
		return nil, err
	}
	err = conn.Raw(func(c any) error {
		exec, ok := c.(driver.ExecerContext)
		if !ok {
			return errors.New("the driver takes no several statements")
		}
		answer, err := exec.ExecContext(ctx, statements, args)
		if err != nil {
			return err
		}
		each, ok := answer.(mysql.Result)
		if !ok || len(each.AllRowsAffected()) != n {
			return errors.New("the driver does not tell what each statement did")
		}
		for _, rows := range each.AllRowsAffected() {
			made = append(made, rows == 1)
		}
		return nil
	})
	return made, err
}

// statements writes the first changes, at least one, as many as are sent at once, and says how many.
func (m *mySQL) statements(changes []change, guarded bool) (text string, n int, args []driver.NamedValue, err error) {
	statement := m.change
	if guarded {
		statement = m.guarded
	}
	size := 0
	for _, c := range changes {
		if size += len(statement) + 2*len(c.Key) + 2*len(c.Before) + 2*len(c.After) + 2*len(c.to) + 64; size > maxStatements && n > 0 { // of bytes any may be escaped
			break
		}
		key, err := m.keyValue(c.Key)
		if err != nil {
			return "", 0, nil, err
		}
		var before, after any = c.Before, c.After
		if m.layout.blobKind == kindText {
			before, after = encode(c.Before), encode(c.After)
		}
		values := []any{after, key, before}
		if guarded && m.guards {
			values = append(values, c.to)
		}
		for _, value := range values {
			args = append(args, driver.NamedValue{Ordinal: len(args) + 1, Value: value})
		}
		n++
	}
	return strings.Repeat(statement, n), n, args, nil
}

// judge goes by the number of the error.
func (m *mySQL) judge(err error) trouble {
	var answer *mysql.MySQLError
	if !errors.As(err, &answer) {
		if errors.Is(err, mysql.ErrInvalidConn) {
			return troubleLost
		}
		return lostOrOther(err)
	}
	switch answer.Number {
	case 1205, 1213, 1020: // lock wait timeout, deadlock, record has changed since last read
		return troubleBusy
	case 1317, 1969, 3024: // interrupted, time limits of MariaDB and MySQL
		return troubleCut
	case 1040, 1047, 1053, 1077, 1079, 1080, 1152, 1158, 1159, 1160, 1161, 1203, 1927: // too many connections, not in its cluster, shutdown, aborted, network, killed
		return troubleLost
	case 1044, 1045, 1142, 1143, 1227, 1370, 1698: // access denied: database, user, table, column, privilege, routine, user
		return troubleDenied
	case 1048, 1062, 1264, 1265, 1366, 1406, 1452, 1644, 3819, 4025: // NULL, duplicate, out of range, truncated, wrong value, too long, foreign key, signal, check
		return troubleRow
	case 3, 1021, 1024, 1026, 1030, 1037, 1038, 1041, 1114, 1180, 1197, 1290, 1598, 1792, 1836: // disk, files, memory, table full, commit, log, read-only
		return troubleOther
	}
	return troubleUnknown
}

func (m *mySQL) close() error { return errors.Join(m.db.Close(), m.many.Close()) }
