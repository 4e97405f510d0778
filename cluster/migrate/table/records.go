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

// readRecords reads all rows of a query for key, size, blob, context, to and whether it meets the condition, and closes it.
func readRecords(rows *sql.Rows) ([]record, error) {
	var found []record
	for rows.Next() {
		var r record
		if err := rows.Scan(&r.key, &r.size, &r.blob, &r.context, &r.to, &r.meets); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		if !utf8.ValidString(r.key) {
			return nil, errors.Join(fmt.Errorf("the key %q is not UTF-8: a journal cannot hold it", r.key), rows.Close())
		}
		found = append(found, r)
	}
	return found, errors.Join(rows.Err(), rows.Close())
}

// byKey sorts records by key.
func byKey(records []record, err error) (map[string]record, error) {
	if err != nil {
		return nil, err
	}
	found := make(map[string]record, len(records))
	for _, r := range records {
		found[r.key] = r
	}
	return found, nil
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
