package table

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// openPostgresTable connects, and finds out whether the table can be moved.
func openPostgresTable(ctx context.Context, source *Source, spec Spec) (*postgres, error) {
	schema, name, err := parseTable(spec.Table, postgresQuote)
	if err != nil {
		return nil, fmt.Errorf("%w: table: %w", ErrUnfit, err)
	}
	p := &postgres{db: source.openPostgres()}
	i := &postgresInspection{db: p.db, spec: spec, layout: &p.layout}
	if err := i.inspect(ctx, schema, name); err != nil {
		return nil, errors.Join(err, p.db.Close())
	}
	p.prepare(spec, i.keyType, i.collation)
	if err := p.try(ctx, spec); err != nil {
		return nil, errors.Join(err, p.db.Close())
	}
	return p, nil
}

// postgresInspection finds out about one table.
type postgresInspection struct {
	db     *sql.DB
	spec   Spec
	layout *layout

	table     uint32 // oid
	keyType   string // of SQL
	collation string // of the unique index, quoted
	ordering  uint32 // oid of the collation; 0: none
}

// postgresColumn is a column.
type postgresColumn struct {
	number    int
	kind      string // name of its type
	notNull   bool
	most      int64 // characters of a varchar(n), else 0
	generated bool
}

func (i *postgresInspection) inspect(ctx context.Context, schema, name string) error {
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

func (i *postgresInspection) findTable(ctx context.Context, schema, name string) error {
	quoted := quoteName(name, postgresQuote)
	if schema != "" {
		quoted = quoteName(schema, postgresQuote) + "." + quoted
	}
	var found, kind string
	var hidden, children bool
	err := i.db.QueryRowContext(ctx, `
SELECT c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relkind::text, c.reltuples::bigint, row_security_active(c.oid),
	c.relkind = 'r' AND EXISTS (SELECT FROM pg_inherits WHERE inhparent = c.oid)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)`,
		quoted).Scan(&i.table, &found, &kind, &i.layout.rows, &hidden, &children)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		hint := ""
		if strings.ToLower(i.spec.Table) != i.spec.Table {
			hint = "; names are taken as they stand, and PostgreSQL has those that were not quoted in lower case"
		}
		return fmt.Errorf("%w: there is no table %s%s", ErrNoTable, quoted, hint)
	case err != nil:
		return err
	case kind != "r" && kind != "p":
		return fmt.Errorf("%w: %s is no table: views, foreign tables and the like have no unique key to go by", ErrUnfit, found)
	case children:
		return fmt.Errorf("%w: %s has tables that inherit from it, over which no key is unique; move each by itself", ErrUnfit, found)
	case hidden:
		return fmt.Errorf("%w: row-level security hides rows of %s from this user; use one that may see all (BYPASSRLS)", ErrUnfit, found)
	}
	i.layout.name = found
	return nil
}

func (i *postgresInspection) columns(ctx context.Context) (map[string]postgresColumn, error) {
	rows, err := i.db.QueryContext(ctx, `
SELECT a.attname, a.attnum, CASE WHEN n.nspname = 'pg_catalog' THEN t.typname ELSE quote_ident(n.nspname) || '.' || t.typname END, a.attnotnull,
	CASE WHEN t.typname = 'varchar' AND a.atttypmod > 4 THEN a.atttypmod - 4 ELSE 0 END, a.attgenerated <> ''
FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid JOIN pg_namespace AS n ON n.oid = t.typnamespace
WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped`, i.table)
	if err != nil {
		return nil, err
	}
	columns := map[string]postgresColumn{}
	for rows.Next() {
		var name string
		var c postgresColumn
		if err := rows.Scan(&name, &c.number, &c.kind, &c.notNull, &c.most, &c.generated); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		columns[name] = c
	}
	return columns, errors.Join(rows.Err(), rows.Close())
}

// checkKey finds the index that makes the key unique.
func (i *postgresInspection) checkKey(ctx context.Context, key postgresColumn) error {
	kinds := map[string]kind{"int2": kindInteger, "int4": kindInteger, "int8": kindInteger, "uuid": kindUUID, "text": kindText, "varchar": kindText,
		"bpchar": kindText, "bytea": kindBytes}
	var ok bool
	if i.layout.keyKind, ok = kinds[key.kind]; !ok {
		return fmt.Errorf("%w: the key column %q is of type %s; want an integer, uuid, text, varchar, char or bytea", ErrUnfit, i.spec.Key, key.kind)
	}
	if key.generated {
		return keyGenerated(i.spec.Key)
	}
	i.keyType = key.kind
	err := i.db.QueryRowContext(ctx, `
SELECT coalesce((SELECT quote_ident(n.nspname) || '.' || quote_ident(c.collname) FROM pg_collation AS c JOIN pg_namespace AS n ON n.oid = c.collnamespace
	WHERE c.oid = x.indcollation[0]), ''), x.indcollation[0]
FROM pg_index AS x
WHERE x.indrelid = $1 AND x.indisunique AND x.indisvalid AND x.indimmediate AND x.indpred IS NULL AND x.indnkeyatts = 1 AND x.indkey[0] = $2
ORDER BY x.indisprimary DESC, x.indexrelid LIMIT 1`, i.table, key.number).Scan(&i.collation, &i.ordering)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return i.notUnique(ctx)
	case err != nil:
		return err
	case !key.notNull:
		return fmt.Errorf("%w: the key column %q may be NULL, and such rows would never be found; declare it NOT NULL", ErrUnfit, i.spec.Key)
	}
	return i.findOrder(ctx, key.kind)
}

// findOrder says what the order of the keys depends on. That of a text is decided by its collation and, behind the name, by
// the version of the library that compares; of the default collation the database says which it is.
func (i *postgresInspection) findOrder(ctx context.Context, kind string) error {
	if i.layout.order = map[string]string{"int2": "integer", "int4": "integer", "int8": "integer", "varchar": "text"}[kind]; i.layout.order == "" {
		i.layout.order = kind
	}
	if i.layout.keyKind != kindText {
		return nil
	}
	var version int
	if err := i.db.QueryRowContext(ctx, "SELECT current_setting('server_version_num')::int").Scan(&version); err != nil {
		return err
	}
	ofDefault := "(SELECT pg_collation_actual_version(l.oid) FROM pg_collation AS l WHERE l.collprovider = 'c' AND l.collcollate = d.datcollate LIMIT 1)"
	if version >= 150000 {
		ofDefault = "pg_database_collation_actual_version(d.oid)"
	}
	var collation string
	err := i.db.QueryRowContext(ctx, `
SELECT concat_ws(', ', k.name, 'provider ' || k.provider, 'locale ' || k.locale, 'rules ' || k.rules, 'version ' || nullif(k.version, ''),
	CASE WHEN NOT c.collisdeterministic THEN 'not deterministic' END)
FROM pg_collation AS c CROSS JOIN pg_database AS d CROSS JOIN to_jsonb(c) AS cc CROSS JOIN to_jsonb(d) AS dd CROSS JOIN LATERAL (
	SELECT $2 AS name, cc->>'collprovider' AS provider, coalesce(cc->>'colllocale', cc->>'colliculocale', cc->>'collcollate') AS locale,
		cc->>'collicurules' AS rules, pg_collation_actual_version(c.oid) AS version WHERE c.collprovider <> 'd'
	UNION ALL
	SELECT $2, coalesce(dd->>'datlocprovider', 'c'), coalesce(dd->>'datlocale', dd->>'daticulocale', dd->>'datcollate'),
		dd->>'daticurules', `+ofDefault+` WHERE c.collprovider = 'd'
) AS k WHERE c.oid = $1 AND d.datname = current_database()`, i.ordering, i.collation).Scan(&collation)
	i.layout.order += " in collation " + collation
	return err
}

// notUnique says what is wrong with a key.
func (i *postgresInspection) notUnique(ctx context.Context) error {
	var primary string
	err := i.db.QueryRowContext(ctx, `
SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY array_position(x.indkey::int2[], a.attnum)) FROM pg_index AS x
JOIN pg_attribute AS a ON a.attrelid = x.indrelid AND a.attnum = ANY (x.indkey) WHERE x.indrelid = $1 AND x.indisprimary HAVING count(*) > 0`,
		i.table).Scan(&primary)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	return keyNotUnique(i.spec.Key, primary)
}

// checkOthers looks at the columns that are read and written.
func (i *postgresInspection) checkOthers(columns map[string]postgresColumn) error {
	blob, ok := columns[i.spec.Blob]
	switch {
	case !ok:
		return noColumn(i.spec.Blob, columns)
	case blob.generated:
		return fmt.Errorf("%w: column %q is generated, and cannot be written", ErrUnfit, i.spec.Blob)
	case blob.kind == "text" || blob.kind == "varchar":
		i.layout.blobKind, i.layout.most = kindText, blob.most
	case blob.kind == "bytea":
		i.layout.blobKind = kindBytes
	default:
		return fmt.Errorf("%w: column %q is of type %s; want text or varchar (Base64) or bytea", ErrUnfit, i.spec.Blob, blob.kind)
	}
	for _, other := range []struct{ name, types string }{{i.spec.Context, "json jsonb text varchar"}, {i.spec.To, "text varchar"}} {
		if err := checkText(other.name, other.types, columns, func(c postgresColumn) string { return c.kind }); err != nil {
			return err
		}
	}
	return nil
}

// try has the database judge the condition, and whether this user may read and write; it does neither.
func (p *postgres) try(ctx context.Context, spec Spec) error {
	if spec.Where != "" {
		if err := p.explain(ctx, "SELECT 1 FROM "+p.layout.name+" AS t WHERE CASE WHEN\n"+spec.Where+"\nTHEN 1 ELSE 0 END = 1"); err != nil {
			return conditionError(p, err)
		}
	}
	if err := p.explain(ctx, p.first); err != nil {
		return fmt.Errorf("reading %s: %w", p.layout.name, err)
	}
	return nil
}

// tryWrite has the database judge whether this user may write.
func (p *postgres) tryWrite(ctx context.Context) error {
	var readOnly, replica bool
	if err := p.db.QueryRowContext(ctx, "SELECT current_setting('transaction_read_only')::boolean, pg_is_in_recovery()").Scan(&readOnly, &replica); err != nil {
		return err
	}
	switch {
	case replica:
		return fmt.Errorf("%w: this server is a replica, and takes no writes", ErrUnfit)
	case readOnly:
		return fmt.Errorf("%w: transactions are read-only here: default_transaction_read_only is on for this user, the database or the server. "+
			"Where that may be lifted, the URL does so for the move: ?default_transaction_read_only=off", ErrUnfit)
	}
	if err := p.explain(ctx, p.guarded, []string{}, p.layout.none(), p.layout.none(), []string{}); err != nil {
		return fmt.Errorf("writing %s: %w", p.layout.name, err)
	}
	return nil
}

func (p *postgres) explain(ctx context.Context, query string, args ...any) error {
	tx, end, err := p.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	rows, err := tx.QueryContext(ctx, "EXPLAIN "+query, args...)
	if err != nil {
		return err
	}
	for rows.Next() {
	}
	return errors.Join(rows.Err(), rows.Close())
}
