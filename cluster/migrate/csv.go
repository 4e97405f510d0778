package migrate

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// CSV reads rows of comma- or tab-separated values (RFC 4180) below a header that names the columns. Quoting, line ends
// and all other columns come out as they went in.
type CSV struct {
	columns   Columns
	separator byte
	input     *feed
	header    []string
	end       []byte // of the lines, as the header has it
	number    int64
	line      int64

	roles   []columnRole // what each column means
	replace []int        // the columns of the input that the output has with other values
	added   []string     // the columns that the output has and the input has not

	text   arena
	rows   []record // to be handed out
	fields []field
}

// columnRole says what the values of a column are.
type columnRole int

const (
	roleNone columnRole = iota
	roleID
	roleBlob
	roleContext
	roleTo
	roleContextTo
	roleNumber
)

// field is one value of a record, as it stands there.
type field struct{ from, to int }

// record is one line, or several where a value in quotes holds line ends.
type record struct {
	row    Row
	text   []byte // without its end
	fields []field
	whole  bool // it has a value for each column
	lines  int64
	fault  *RowError
}

// ErrHeader says that a file has no header that names a column of ciphertexts.
var ErrHeader = errors.New("the first line does not name the columns")

// NewCSV reads rows from r: the header at once. separator is ',' or a tab.
func NewCSV(r io.Reader, separator byte, columns Columns) (*CSV, error) {
	c := &CSV{columns: columns, separator: separator, input: feedOf(r)}
	head, err := c.readRecord()
	switch {
	case err == io.EOF:
		return nil, fmt.Errorf("%w: the file is empty", ErrHeader)
	case err != nil:
		return nil, err
	case head.fault != nil:
		return nil, fmt.Errorf("%w: %s", ErrHeader, head.fault.Reason)
	}
	c.line = head.lines
	for _, f := range head.fields {
		name := head.value(f)
		if slices.Contains(c.header, name) {
			return nil, fmt.Errorf("%w: %q is there twice", ErrHeader, name)
		}
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
		role := roleNone
		switch name {
		case c.columns.ID:
			role = roleID
		case c.columns.Blob:
			role = roleBlob
		case c.columns.Context:
			role = roleContext
		case c.columns.To:
			role = roleTo
		case c.columns.ContextTo:
			role = roleContextTo
		case ColumnInputRow:
			if c.columns.Numbered {
				role = roleNumber
			}
		}
		c.roles = append(c.roles, role)
		if role == roleBlob || role == roleContext || role == roleNumber || name == columnFrom || name == columnStatus {
			c.replace = append(c.replace, i)
		}
	}
	always := []string{columnFrom, columnStatus}
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

// The columns that the output has besides those of the input.
const (
	columnFrom   = "from"
	columnStatus = "status"
	// ColumnInputRow is there where rows are numbered.
	ColumnInputRow = "input_row"
)

// Offset is how many bytes the header and the rows that were read took.
func (c *CSV) Offset() int64 { return c.input.settled }

// Next returns the next row; [io.EOF] after the last. Empty lines are passed over.
func (c *CSV) Next() (*Row, error) {
	for {
		rec, err := c.readRecord()
		if err != nil {
			return nil, err
		}
		at := c.line + 1
		c.line += rec.lines
		if len(rec.text) == 0 && rec.fault == nil {
			continue
		}
		c.number++
		rec.row = Row{Number: c.number, Line: at, carried: rec, Fault: rec.fault}
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
		switch value := rec.bytes(rec.fields[i]); {
		case role == roleID:
			row.ID = string(value)
		case role == roleTo:
			row.To = string(value)
		case role == roleBlob && len(value) == 0:
			row.setFault(fault(FaultNoBlob, "it has no %q", c.columns.Blob))
		case role == roleBlob:
			row.setBlobIn(&c.text, value)
		case role == roleContext:
			if context, ok := row.parseContext(value); ok {
				row.Context = context
			}
		case role == roleNumber:
			row.setInputRow(value)
		case len(value) > 0:
			row.setTarget(value)
		}
	}
}

// AppendRow appends a row with its outcome. One that could not be read stays as it is.
func (c *CSV) AppendRow(dst []byte, row *Row, o *Outcome) []byte {
	rec := row.carried.(*record)
	if !rec.whole {
		return append(append(dst, rec.text...), c.end...)
	}
	at := 0
	for _, i := range c.replace {
		f := rec.fields[i]
		dst = append(dst, rec.text[at:f.from]...)
		dst = c.appendNew(dst, c.header[i], c.roles[i], row, o, rec.text[f.from:f.to])
		at = f.to
	}
	dst = append(dst, rec.text[at:]...)
	for _, name := range c.added {
		role := roleNone
		switch name {
		case c.columns.Context:
			role = roleContext
		case ColumnInputRow:
			role = roleNumber
		}
		dst = append(dst, c.separator)
		dst = c.appendNew(dst, name, role, row, o, nil)
	}
	return append(dst, c.end...)
}

// appendNew appends the value that a column has in the output.
func (c *CSV) appendNew(dst []byte, name string, role columnRole, row *Row, o *Outcome, stood []byte) []byte {
	quoted := len(stood) > 0 && stood[0] == '"'
	switch {
	case role == roleContext && (o.Status != Moved || !row.newContext()):
		return append(dst, stood...)
	case role == roleContext:
		return c.appendValue(dst, contextText(row.sealing()), quoted)
	case role == roleNumber:
		return c.appendValue(dst, strconv.FormatInt(row.Number, 10), quoted)
	case role != roleBlob && name == columnFrom:
		return c.appendValue(dst, o.From, quoted)
	case role != roleBlob:
		return c.appendValue(dst, string(o.Status), quoted)
	case o.Status != Moved:
		return append(dst, stood...)
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
	for i := 0; i < len(value) && !quoted; i++ {
		quoted = value[i] == c.separator || value[i] == '"' || value[i] == '\n' || value[i] == '\r'
	}
	if !quoted {
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

// value is a field without its quotes.
func (r *record) value(f field) string { return string(r.bytes(f)) }

func (r *record) bytes(f field) []byte {
	text := r.text[f.from:f.to]
	if len(text) < 2 || text[0] != '"' {
		return text
	}
	if text = text[1 : len(text)-1]; bytes.IndexByte(text, '"') < 0 {
		return text
	}
	return bytes.ReplaceAll(text, []byte(`""`), []byte(`"`))
}

// readRecord reads up to the end of a record or of the input. One that is too long is passed over, and its text dropped.
func (c *CSV) readRecord() (*record, error) {
	if len(c.rows) == 0 {
		c.rows = make([]record, rowsAtOnce)
	}
	r := &c.rows[0]
	*r = record{}
	quotes, size := 0, 0
	for {
		part, err := c.input.slice()
		size += len(part)
		if size <= maxLine {
			r.text = c.text.keep(r.text, part)
		}
		quotes += bytes.Count(part, []byte(`"`))
		ended := len(part) > 0 && part[len(part)-1] == '\n'
		if ended {
			r.lines++
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull), ended && quotes%2 == 1:
			continue // a value in quotes goes on
		case err == io.EOF && size == 0:
			return nil, io.EOF
		case err != nil && err != io.EOF:
			return nil, err
		}
		if !ended {
			r.lines++
		}
		c.input.settle()
		c.rows = c.rows[1:]
		c.finish(r, size, quotes)
		return r, nil
	}
}

// finish takes the end off a record and splits it.
func (c *CSV) finish(r *record, size, quotes int) {
	text := trimEnd(r.text)
	if c.end == nil {
		c.end = []byte("\n")
		if end := r.text[len(text):]; len(end) > 0 {
			c.end = bytes.Clone(end)
		}
	}
	r.text = text
	switch {
	case size > maxLine:
		r.text, r.fault = nil, fault(FaultSyntax, "it is longer than %d bytes", maxLine)
	case quotes%2 == 1:
		r.fault = fault(FaultSyntax, "a quote is not closed")
	default:
		c.split(r)
	}
}

// split finds the values of a record whose quotes are even in number.
func (c *CSV) split(r *record) {
	if cap(c.fields)-len(c.fields) < len(c.header) {
		c.fields = make([]field, 0, max(1024, len(c.header)))
	}
	fields := c.fields[len(c.fields):len(c.fields)]
	from, inside, good := 0, false, true
	add := func(to int) {
		good = good && wellQuoted(r.text[from:to])
		fields = append(fields, field{from, to})
		from = to + 1
	}
	for i, b := range r.text {
		switch {
		case b == '"':
			inside = !inside
		case b == c.separator && !inside:
			add(i)
		}
	}
	add(len(r.text))
	if !good {
		r.fault = fault(FaultSyntax, "a quote stands in the middle of a value")
		return
	}
	r.fields = fields[:len(fields):len(fields)]
	if end := len(c.fields) + len(fields); end <= cap(c.fields) {
		c.fields = c.fields[:end]
	}
}

// wellQuoted says that a value has no quotes, or stands in quotes with each quote inside doubled.
func wellQuoted(text []byte) bool {
	if bytes.IndexByte(text, '"') < 0 {
		return true
	}
	if len(text) < 2 || text[0] != '"' || text[len(text)-1] != '"' {
		return false
	}
	inner := text[1 : len(text)-1]
	return bytes.Count(inner, []byte(`"`)) == 2*bytes.Count(inner, []byte(`""`))
}
