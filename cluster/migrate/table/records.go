package table

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"unicode/utf8"
)

// querier is a database, a connection to it, or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// queryRecords runs queries for records.
func queryRecords(ctx context.Context, in querier, query string, args ...any) ([]record, error) {
	rows, err := in.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	var found []record
	for more := true; more; more = rows.NextResultSet() {
		for rows.Next() {
			r, err := scanRecord(rows)
			if err != nil {
				return nil, errors.Join(err, rows.Close())
			}
			found = append(found, r)
		}
	}
	return found, errors.Join(rows.Err(), rows.Close())
}

// queryPage runs a query for a page.
func queryPage(ctx context.Context, in querier, query string, args ...any) (page []record, cut bool, err error) {
	rows, err := in.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, false, err
	}
	for size := 0; rows.Next(); {
		r, err := scanRecord(rows)
		if err != nil {
			return nil, false, errors.Join(err, rows.Close())
		}
		if size += r.bytes(); size > maxPage && len(page) > 0 {
			cut = true
			break
		}
		page = append(page, r)
	}
	return page, cut, errors.Join(rows.Err(), rows.Close())
}

// scanRecord reads a row of key, size and blob, sizes and texts of context and to, whether it meets the condition, and place.
func scanRecord(rows *sql.Rows) (r record, err error) {
	err = rows.Scan(&r.key, &r.size, &r.blob, &r.context.size, &r.context.value, &r.to.size, &r.to.value, &r.meets, &r.place)
	if err == nil && !utf8.ValidString(r.key) {
		err = fmt.Errorf("the key %q is not UTF-8: a journal cannot hold it", r.key)
	}
	return r, err
}

// byPlace puts records where their keys were, of so many.
func byPlace(records []record, keys int) []*record {
	found := make([]*record, keys)
	for i := range records {
		found[records[i].place] = &records[i]
	}
	return found
}

// encode is a blob as columns of text have it.
func encode(blob []byte) string { return base64.StdEncoding.EncodeToString(blob) }

// lostOrOther judges an error that is none of the server's.
func lostOrOther(err error) trouble {
	var broken net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return troubleOther
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed),
		errors.Is(err, context.DeadlineExceeded), errors.As(err, &broken):
		return troubleLost
	}
	return troubleOther
}
