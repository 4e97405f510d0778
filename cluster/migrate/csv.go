package migrate

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// CSV reads rows of comma- or tab-separated values (RFC 4180) below a header that names the columns. Quoting, line ends
// and all other columns come out as they went in. Between tabs a quote is a quote as long as it does not begin the value:
// databases write JSON to such files as it is.
type CSV struct {
	columns   Columns
	separator byte
	input     *feed
	header    []string
	end       []byte // of the header, and of a last line that has none
	number    int64
	line      int64

	roles   []columnRole // what each column means
	replace []int        // the columns of the input that the output has with other values
	added   []string     // the columns that the output has and the input has not

	text   arena
	rows   []record // to be handed out
	fields []field
}

// tab separates the values of TSV.
const tab = '\t'

// ErrHeader says that a file has no header that names a column of ciphertexts.
var ErrHeader = errors.New("the first line does not name the columns")

// NewCSV reads rows from r: the header at once. separator is ',' or '\t'.
func NewCSV(r io.Reader, separator byte, columns Columns) (*CSV, error) {
	c := &CSV{columns: columns, separator: separator, input: feedOf(r), end: []byte("\n")}
	if string(c.input.peek(len(byteOrderMark))) == byteOrderMark {
		c.input.pass(len(byteOrderMark))
	}
	head, err := c.readRecord(0)
	switch {
	case err == io.EOF:
		return nil, fmt.Errorf("%w: the file is empty", ErrHeader)
	case err != nil:
		return nil, err
	case head.fault != nil:
		return nil, fmt.Errorf("%w: %s", ErrHeader, head.fault.Reason)
	}
	c.line, c.end = head.lines, head.ending
	seen := make(map[string]bool, len(head.fields))
	for _, f := range head.fields {
		name := head.value(f)
		if seen[name] {
			return nil, fmt.Errorf("%w: %q is there twice", ErrHeader, name)
		}
		seen[name] = true
		c.header = append(c.header, name)
	}
	if !slices.Contains(c.header, columns.Blob) {
		return nil, fmt.Errorf("%w: there is no %q", ErrHeader, columns.Blob)
	}
	c.understand()
	return c, nil
}

// understand says what the columns of the header are.
func (c *CSV) understand() {
	for i, name := range c.header {
		role := c.columns.role(name)
		c.roles = append(c.roles, role)
		switch role {
		case roleBlob, roleContext, roleFrom, roleStatus, roleNumber:
			c.replace = append(c.replace, i)
		}
	}
	always := []string{ColumnFrom, ColumnStatus}
	if c.columns.NewContexts || slices.Contains(c.roles, roleContextTo) {
		always = slices.Insert(always, 0, c.columns.Context)
	}
	if c.columns.Numbered {
		always = append(always, ColumnInputRow)
	}
	for _, name := range always {
		if !slices.Contains(c.header, name) {
			c.added = append(c.added, name)
		}
	}
}

// Offset is how many bytes the header and the rows that were read took.
func (c *CSV) Offset() int64 { return c.input.offset() }

// Next returns the next row; [io.EOF] after the last. Empty lines are passed over.
func (c *CSV) Next() (*Row, error) {
	for {
		rec, err := c.readRecord(len(c.header))
		if err != nil {
			return nil, err
		}
		at := c.line + 1
		c.line += rec.lines
		if len(rec.text) == 0 && rec.fault == nil {
			continue
		}
		c.number++
		rec.row = Row{Number: c.number, Line: at, size: len(rec.text), carried: rec, Fault: rec.fault}
		row := &rec.row
		rec.whole = len(rec.fields) == len(c.header)
		if row.Fault == nil && !rec.whole {
			row.Fault = fault(FaultSyntax, "it has %d values, and the header %d", len(rec.fields), len(c.header))
		}
		if row.Fault == nil {
			c.parse(row, rec)
		}
		return row, nil
	}
}

// parse reads the columns that mean something.
func (c *CSV) parse(row *Row, rec *record) {
	for i, role := range c.roles {
		if role == roleNone {
			continue
		}
		switch value := rec.bytes(rec.fields[i]); role {
		case roleID:
			row.ID = string(value)
		case roleTo:
			row.To = string(value)
		case roleBlob:
			if len(value) == 0 {
				row.setFault(fault(FaultNoBlob, "it has no %q", c.columns.Blob))
			} else {
				row.setBlobIn(&c.text, value)
			}
		case roleContext:
			if context, ok := row.parseContext(value); ok {
				row.Context = context
			}
		case roleContextTo:
			if len(value) > 0 {
				row.setTarget(value)
			}
		case roleNumber:
			row.setInputRow(value)
		}
	}
}

// AppendRow appends a row with its outcome. One that could not be read stays as it is.
func (c *CSV) AppendRow(dst []byte, row *Row, o *Outcome) []byte {
	rec := row.carried.(*record)
	if !rec.whole {
		return append(append(dst, rec.text...), rec.ending...)
	}
	at := 0
	for _, i := range c.replace {
		f := rec.fields[i]
		dst = append(dst, rec.text[at:f.from]...)
		dst = c.appendNew(dst, c.roles[i], row, o, rec.text[f.from:f.to])
		at = f.to
	}
	dst = append(dst, rec.text[at:]...)
	for _, name := range c.added {
		dst = append(dst, c.separator)
		dst = c.appendNew(dst, c.columns.role(name), row, o, nil)
	}
	return append(dst, rec.ending...)
}

// appendNew appends the value that a column has in the output.
func (c *CSV) appendNew(dst []byte, role columnRole, row *Row, o *Outcome, stood []byte) []byte {
	quoted := len(stood) > 0 && stood[0] == '"'
	switch {
	case role == roleFrom:
		return c.appendValue(dst, o.From, quoted)
	case role == roleStatus:
		return c.appendValue(dst, string(o.Status), quoted)
	case role == roleNumber:
		return c.appendValue(dst, strconv.FormatInt(row.Number, 10), quoted)
	case o.Status != Moved, role == roleContext && !row.newContext():
		return append(dst, stood...)
	case role == roleContext:
		return c.appendValue(dst, contextText(row.sealing()), quoted)
	case quoted:
		dst = append(dst, '"')
		dst = base64Blob.AppendEncode(dst, o.Blob)
		return append(dst, '"')
	}
	return base64Blob.AppendEncode(dst, o.Blob) // nothing in it needs quotes
}

// Header is the first line of the output, which has the columns from and status besides those of the input, the context
// where rows may get one, and input_row where they are numbered.
func (c *CSV) Header() []byte {
	var line []byte
	for i, name := range slices.Concat(c.header, c.added) {
		if i > 0 {
			line = append(line, c.separator)
		}
		line = c.appendValue(line, name, false)
	}
	return append(line, c.end...)
}

// appendValue appends a value, in quotes if it is to be or needs them.
func (c *CSV) appendValue(dst []byte, value string, quoted bool) []byte {
	if !quoted && !c.needsQuotes(value) {
		return append(dst, value...)
	}
	dst = append(dst, '"')
	for i := range len(value) {
		if value[i] == '"' {
			dst = append(dst, '"')
		}
		dst = append(dst, value[i])
	}
	return append(dst, '"')
}

// needsQuotes says that a value would be read as another one without quotes around it, or, of CSV, as none.
func (c *CSV) needsQuotes(value string) bool {
	for i := range len(value) {
		switch value[i] {
		case c.separator, '\n', '\r':
			return true
		case '"':
			if i == 0 || c.separator != tab {
				return true
			}
		}
	}
	return false
}
