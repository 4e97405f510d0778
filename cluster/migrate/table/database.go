package table

import (
	"context"

	"meridian/cluster/migrate"
)

// database is one table of one database: what its SQL does, and nothing of what a run means. Keys are text in a form that
// the database reads again: integers in decimal, UUIDs, text as it is, bytes in hex.
type database interface {
	// page returns the rows behind a key in the order of keys, the first ones if there is none: so many, fewer if there are no
	// more, none if there are none, or as many as maxPage allows; it was cut then.
	page(ctx context.Context, after *string, rows int) (page []record, cut bool, err error)
	// find returns the row of each key, nil where there is none. The database compares: where it takes A for a, that is one key.
	find(ctx context.Context, keys []string) ([]*record, error)
	// swap puts the blob After where Before is, in one transaction, and says of each change whether it was made. No key is
	// there twice. A guarded one wants the row to meet the condition as well, and to name the same destination. After an
	// error none was made, or all that could be: nobody knows. [errAltered]: none was.
	swap(ctx context.Context, changes []change, guarded bool) ([]bool, error)
	// tryWrite finds out whether the server and the user's rights allow swap, and writes nothing.
	tryWrite(ctx context.Context) error
	// judge says what an error means.
	judge(err error) trouble
	close() error
}

// change is what is to be written into a row.
type change struct {
	migrate.Change
	to string // the destination that the row named when it was read
}

// record is a row as the database has it.
type record struct {
	key     string
	size    int64  // of the blob's column, in bytes; -1: it is NULL
	blob    []byte // empty if it is larger than maxColumn; text in Base64 if the column is text
	context text
	to      text
	meets   bool // the condition
	place   int  // of the key that it was found by
}

// text is what a column of text holds.
type text struct {
	size  int64   // in bytes; -1: it is NULL
	value *string // nil as well if it is larger than maxColumn
}

// bytes is how many bytes of a row were read.
func (r *record) bytes() int {
	n := len(r.key) + len(r.blob)
	for _, t := range []text{r.context, r.to} {
		if t.value != nil {
			n += len(*t.value)
		}
	}
	return n
}

// maxPage bounds the bytes of a page. A row may have more: then it is a page by itself.
const maxPage = 4 << 20

// maxColumn bounds what is read of a column, in bytes: more than any blob or context has.
const maxColumn = 64 << 10

// trouble is what an error of a database means.
type trouble int

const (
	troubleOther   trouble = iota // the run ends
	troubleLost                   // the connection, or the server for a while
	troubleBusy                   // other writers: deadlock, serialization, a lock that was waited for in vain
	troubleCut                    // the server ended the statement: its time limit, or somebody who asked it to
	troubleRow                    // with the values of a row
	troubleDenied                 // rights, or who asks; triggers say so too
	troubleUnknown                // of the statement: with a row, as triggers have codes of their own, or with all of them
)

// passes says that the same may do later.
func (t trouble) passes() bool { return t == troubleLost || t == troubleBusy || t == troubleCut }

// kind is what a column holds, as far as it matters.
type kind int

const (
	kindInteger  kind = iota
	kindUnsigned      // MySQL's
	kindUUID
	kindText
	kindBytes
)

// layout is what was found out about a table.
type layout struct {
	name     string // quoted, with its schema
	keyKind  kind
	order    string // what decides about the order of keys: kind, and collation of a text
	blobKind kind   // kindText: in Base64; kindBytes: as it is
	most     int64  // characters or bytes that fit the blob's column; 0: enough
	rows     int64  // about so many; -1: nobody knows
}
