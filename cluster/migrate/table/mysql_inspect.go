package table

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// openMySQLTable connects, and finds out whether the table can be moved.
func openMySQLTable(ctx context.Context, source *Source, spec Spec) (*mySQL, error) {
	schema, name, err := parseTable(spec.Table, mySQLQuote)
	if err != nil {
		return nil, fmt.Errorf("%w: table: %w", ErrUnfit, err)
	}
	if schema == "" {
		schema = source.mysql.DBName
	}
	m := &mySQL{}
	if m.db, err = source.openMySQL(false); err != nil {
		return nil, err
	}
	if m.many, err = source.openMySQL(true); err != nil {
		return nil, errors.Join(err, m.db.Close())
	}
	i := &mySQLInspection{db: m.db, spec: spec, layout: &m.layout}
	if err := i.inspect(ctx, schema, name); err != nil {
		return nil, errors.Join(err, m.close())
	}
	m.prepare(spec)
	if err := m.try(ctx, spec); err != nil {
		return nil, errors.Join(err, m.close())
	}
	return m, nil
}

// mySQLInspection finds out about one table.
type mySQLInspection struct {
	db           *sql.DB
	spec         Spec
	layout       *layout
	schema, name string // as the server has them
}

// mySQLColumn is a column.
type mySQLColumn struct {
	kind      string // data type
	whole     string // with its attributes
	nullable  bool
	collation string
	most      int64 // characters, or bytes of a binary one
	generated bool
}

func (i *mySQLInspection) inspect(ctx context.Context, schema, name string) error {
	if err := i.findTable(ctx, schema, name); err != nil {
		return err
	}
	columns, err := i.columns(ctx)
	if err != nil {
		return err
	}
	key, ok := columns[i.spec.Key]
	if !ok {
		return noColumn(i.spec.Key, columns)
	}
	if err := i.checkKey(ctx, key); err != nil {
		return err
	}
	return i.checkOthers(columns)
}

func (i *mySQLInspection) findTable(ctx context.Context, schema, name string) error {
	var kind, engine string
	err := i.db.QueryRowContext(ctx, `
SELECT table_schema, table_name, table_type, COALESCE(engine, ''), COALESCE(table_rows, -1) FROM information_schema.tables
WHERE table_schema = ? AND table_name = ? ORDER BY CAST(table_schema AS BINARY) = ? AND CAST(table_name AS BINARY) = ? DESC LIMIT 1`,
		schema, name, schema, name).Scan(&i.schema, &i.name, &kind, &engine, &i.layout.rows)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("%w: there is no table %s.%s, or this user has no right to it", ErrNoTable, quoteName(schema, mySQLQuote), quoteName(name, mySQLQuote))
	case err != nil:
		return err
	}
	i.layout.name = quoteName(i.schema, mySQLQuote) + "." + quoteName(i.name, mySQLQuote)
	if kind != "BASE TABLE" && kind != "SYSTEM VERSIONED" {
		return fmt.Errorf("%w: %s is no table: a view has no unique key to go by", ErrUnfit, i.layout.name)
	}
	var transactions string
	err = i.db.QueryRowContext(ctx, "SELECT COALESCE(transactions, 'NO') FROM information_schema.engines WHERE engine = ?", engine).Scan(&transactions)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if transactions != "YES" {
		return fmt.Errorf("%w: the engine of %s is %s, which has no transactions and locks whole tables; it can be moved in InnoDB", ErrUnfit, i.layout.name, engine)
	}
	return nil
}

func (i *mySQLInspection) columns(ctx context.Context) (map[string]mySQLColumn, error) {
	rows, err := i.db.QueryContext(ctx, `
SELECT column_name, data_type, column_type, is_nullable = 'YES', COALESCE(collation_name, ''), COALESCE(character_maximum_length, 0),
	COALESCE(generation_expression, '') <> '' FROM information_schema.columns WHERE table_schema = ? AND table_name = ?`, i.schema, i.name)
	if err != nil {
		return nil, err
	}
	columns := map[string]mySQLColumn{}
	for rows.Next() {
		var name string
		var c mySQLColumn
		if err := rows.Scan(&name, &c.kind, &c.whole, &c.nullable, &c.collation, &c.most, &c.generated); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		c.kind = strings.ToLower(c.kind)
		columns[name] = c
	}
	return columns, errors.Join(rows.Err(), rows.Close())
}

// checkKey finds the index that makes the key unique.
func (i *mySQLInspection) checkKey(ctx context.Context, key mySQLColumn) error {
	switch key.kind {
	case "tinyint", "smallint", "mediumint", "int", "bigint":
		i.layout.order = "integer"
		if i.layout.keyKind = kindInteger; strings.Contains(key.whole, "unsigned") {
			i.layout.keyKind = kindUnsigned
		}
	case "uuid":
		i.layout.keyKind, i.layout.order = kindUUID, key.whole // MariaDB has had two orders of them
	case "char", "varchar":
		i.layout.keyKind, i.layout.order = kindText, "text in collation "+key.collation
	case "binary", "varbinary":
		i.layout.keyKind, i.layout.order = kindBytes, "bytes"
	default:
		return fmt.Errorf("%w: the key column %q is of type %s; want an integer, uuid, char, varchar, binary or varbinary", ErrUnfit, i.spec.Key, key.kind)
	}
	if key.generated {
		return keyGenerated(i.spec.Key)
	}
	indexes, err := i.uniqueIndexes(ctx)
	if err != nil {
		return err
	}
	primary := ""
	for _, x := range indexes {
		if len(x.columns) == 1 && strings.EqualFold(x.columns[0], i.spec.Key) && !x.partial {
			if key.nullable {
				return fmt.Errorf("%w: the key column %q may be NULL, and such rows would never be found; declare it NOT NULL", ErrUnfit, i.spec.Key)
			}
			return nil
		}
		if x.name == "PRIMARY" {
			primary = strings.Join(x.columns, ", ")
		}
	}
	return keyNotUnique(i.spec.Key, primary)
}

// mySQLIndex is a unique index.
type mySQLIndex struct {
	name    string
	columns []string
	partial bool // over the beginning of a column, or in no order
}

func (i *mySQLInspection) uniqueIndexes(ctx context.Context) ([]mySQLIndex, error) {
	rows, err := i.db.QueryContext(ctx, `
SELECT index_name, COALESCE(column_name, ''), sub_part IS NOT NULL OR index_type <> 'BTREE' FROM information_schema.statistics
WHERE table_schema = ? AND table_name = ? AND non_unique = 0 ORDER BY index_name, seq_in_index`, i.schema, i.name)
	if err != nil {
		return nil, err
	}
	var found []mySQLIndex
	for rows.Next() {
		var index, column string
		var partial bool
		if err := rows.Scan(&index, &column, &partial); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		if len(found) == 0 || found[len(found)-1].name != index {
			found = append(found, mySQLIndex{name: index})
		}
		last := &found[len(found)-1]
		last.columns, last.partial = append(last.columns, column), last.partial || partial
	}
	return found, errors.Join(rows.Err(), rows.Close())
}

// checkOthers looks at the columns that are read and written.
func (i *mySQLInspection) checkOthers(columns map[string]mySQLColumn) error {
	blob, ok := columns[i.spec.Blob]
	if !ok {
		return noColumn(i.spec.Blob, columns)
	}
	if blob.generated {
		return fmt.Errorf("%w: column %q is generated, and cannot be written", ErrUnfit, i.spec.Blob)
	}
	i.layout.most = blob.most
	switch blob.kind {
	case "char", "varchar", "tinytext", "text", "mediumtext", "longtext":
		i.layout.blobKind = kindText
	case "varbinary", "tinyblob", "blob", "mediumblob", "longblob":
		i.layout.blobKind = kindBytes
	default:
		return fmt.Errorf("%w: column %q is of type %s; want char, varchar or a text (Base64), or varbinary or a blob", ErrUnfit, i.spec.Blob, blob.kind)
	}
	const texts = "char varchar tinytext text mediumtext longtext"
	for _, other := range []struct{ name, types string }{{i.spec.Context, "json " + texts}, {i.spec.To, texts}} {
		if err := checkText(other.name, other.types, columns, func(c mySQLColumn) string { return c.kind }); err != nil {
			return err
		}
	}
	return nil
}

// try has the database judge the condition, and whether this user may read; it does not.
func (m *mySQL) try(ctx context.Context, spec Spec) error {
	if spec.Where != "" {
		if err := m.explain(ctx, "SELECT 1 FROM "+m.layout.name+" AS t WHERE CASE WHEN\n"+spec.Where+"\nTHEN 1 ELSE 0 END = 1"); err != nil {
			return conditionError(m, err)
		}
	}
	if err := m.explain(ctx, m.first); err != nil {
		return fmt.Errorf("reading %s: %w", m.layout.name, err)
	}
	return nil
}

func (m *mySQL) tryWrite(ctx context.Context) error {
	var readOnly bool
	if err := m.db.QueryRowContext(ctx, "SELECT @@global.read_only").Scan(&readOnly); err != nil {
		return err
	}
	if readOnly {
		return fmt.Errorf("%w: this server takes no writes (read_only), as a replica does", ErrUnfit)
	}
	key, err := m.keyValue(map[kind]string{kindInteger: "0", kindUnsigned: "0", kindUUID: "00000000-0000-0000-0000-000000000000"}[m.layout.keyKind])
	if err == nil {
		values := []any{[]byte{}, key, []byte{}}
		if m.guards {
			values = append(values, "")
		}
		err = m.explain(ctx, strings.TrimSuffix(m.guarded, ";"), values...)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", m.layout.name, err)
	}
	return nil
}

func (m *mySQL) explain(ctx context.Context, query string, args ...any) error {
	rows, err := m.db.QueryContext(ctx, "EXPLAIN "+query, args...)
	if err != nil {
		return err
	}
	for rows.Next() {
	}
	return errors.Join(rows.Err(), rows.Close())
}
