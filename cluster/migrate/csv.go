package migrate

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
)

// CSV reads rows of comma- or tab-separated values (RFC 4180) below a header that names the columns. Quoting, line ends
// and all other columns come out as they went in.
type CSV struct {
	columns   Columns
	separator byte
	records   *bufio.Reader
	header    []string
	end       []byte // of the lines, as the header has it
	number    int64
	line      int64
	read      int64
}

// field is one value of a record, as it stands there.
type field struct{ from, to int }

// record is one line, or several where a value in quotes holds line ends.
type record struct {
	text   []byte // without its end
	fields []field
	lines  int64
	fault  *RowError
}

// ErrHeader says that a file has no header that names a column of ciphertexts.
var ErrHeader = errors.New("the first line does not name the columns")

// NewCSV reads rows from r: the header at once. separator is ',' or a tab.
func NewCSV(r io.Reader, separator byte, columns Columns) (*CSV, error) {
	c := &CSV{columns: columns, separator: separator, records: bufio.NewReaderSize(r, 64<<10)}
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
	return c, nil
}

// Offset is how many bytes the header and the rows that were read took.
func (c *CSV) Offset() int64 { return c.read }

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
		row := &Row{Number: c.number, Line: at, carried: rec, Fault: rec.fault}
		if row.Fault == nil && len(rec.fields) != len(c.header) {
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
	for i, name := range c.header {
		value := rec.value(rec.fields[i])
		switch name {
		case c.columns.ID:
			row.ID = value
		case c.columns.Blob:
			if value == "" {
				row.setFault(fault(FaultNoBlob, "it has no %q", name))
			} else {
				row.setBlob(value)
			}
		case c.columns.Context:
			if context, ok := row.parseContext([]byte(value)); ok {
				row.Context = context
			}
		case c.columns.ContextTo:
			if value != "" {
				row.setTarget([]byte(value))
			}
		case c.columns.To:
			row.To = value
		}
	}
}

// AppendRow appends a row with its outcome. One that could not be read stays as it is.
func (c *CSV) AppendRow(dst []byte, row *Row, o *Outcome) []byte {
	rec := row.carried.(*record)
	if len(rec.fields) != len(c.header) {
		return append(append(dst, rec.text...), c.end...)
	}
	news := map[string]string{"from": o.From, "status": string(o.Status)}
	if o.Status == Moved {
		news[c.columns.Blob] = o.text()
		if row.newContext() {
			news[c.columns.Context] = contextText(row.sealing())
		}
	}
	at := 0
	for i, name := range c.header {
		value, changed := news[name]
		if !changed {
			continue
		}
		f := rec.fields[i]
		dst = append(dst, rec.text[at:f.from]...)
		dst = c.appendValue(dst, value, rec.text[f.from:f.to])
		at = f.to
	}
	dst = append(dst, rec.text[at:]...)
	for _, name := range c.added() {
		dst = append(dst, c.separator)
		dst = c.appendValue(dst, news[name], nil)
	}
	return append(dst, c.end...)
}

// Header is the first line of the output, which has the columns from and status besides those of the input, and the
// context where rows may get one.
func (c *CSV) Header() []byte {
	var line []byte
	for i, name := range slices.Concat(c.header, c.added()) {
		if i > 0 {
			line = append(line, c.separator)
		}
		line = c.appendValue(line, name, nil)
	}
	return append(line, c.end...)
}

// added are the columns that the output has and the input has not.
func (c *CSV) added() (names []string) {
	always := []string{"from", "status"}
	if c.columns.NewContexts || slices.Contains(c.header, c.columns.ContextTo) {
		always = slices.Insert(always, 0, c.columns.Context)
	}
	for _, name := range always {
		if !slices.Contains(c.header, name) {
			names = append(names, name)
		}
	}
	return names
}

// appendValue appends a value, in quotes if it needs them or the one that stood there had some.
func (c *CSV) appendValue(dst []byte, value string, stood []byte) []byte {
	quoted := len(stood) > 0 && stood[0] == '"'
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
func (r *record) value(f field) string {
	text := r.text[f.from:f.to]
	if len(text) >= 2 && text[0] == '"' {
		return string(bytes.ReplaceAll(text[1:len(text)-1], []byte(`""`), []byte(`"`)))
	}
	return string(text)
}

// readRecord reads up to the end of a record or of the input. One that is too long is passed over, and its text dropped.
func (c *CSV) readRecord() (*record, error) {
	r := &record{}
	quotes, size := 0, 0
	for {
		part, err := c.records.ReadSlice('\n')
		size += len(part)
		if size <= maxLine {
			r.text = append(r.text, part...)
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
		c.read += int64(size)
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
		r.split(c.separator)
	}
}

// split finds the values of a record whose quotes are even in number.
func (r *record) split(separator byte) {
	from, inside := 0, false
	add := func(to int) {
		if text := r.text[from:to]; !wellQuoted(text) {
			r.fault = fault(FaultSyntax, "a quote stands in the middle of a value")
		}
		r.fields = append(r.fields, field{from, to})
		from = to + 1
	}
	for i, b := range r.text {
		switch {
		case b == '"':
			inside = !inside
		case b == separator && !inside:
			add(i)
		}
	}
	add(len(r.text))
	if r.fault != nil {
		r.fields = nil
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
