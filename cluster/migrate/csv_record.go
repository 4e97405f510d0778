package migrate

import (
	"bytes"
	"fmt"
	"io"
)

// record is one line, or several where a value in quotes holds line ends.
type record struct {
	row    Row
	text   []byte // without its end
	ending []byte
	fields []field // nil if there is a fault
	whole  bool    // it has a value for each column
	lines  int64
	fault  *RowError
}

// field is one value of a record, as it stands there.
type field struct{ from, to int }

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

// Reasons why a record cannot be read.
const (
	strayQuote = "a quote stands in the middle of a value"
	openQuote  = "a quote is opened and not closed"
)

// readRecord reads up to the end of a record of so many values, or of any number if that is 0. Where several lines make no
// good record the first of them is one that cannot be read, and the next begins behind it: a quote too many costs no row
// but its own.
func (c *CSV) readRecord(values int) (*record, error) {
	s := splitter{separator: c.separator, fields: c.room()}
	first := 0 // how long the first line is
	for lines := int64(1); ; lines++ {
		text, err := c.input.line()
		switch {
		case err == errTooLong && lines > 1:
			return c.brokenLine(first), nil
		case err == errTooLong:
			return nil, fmt.Errorf("line %d: %w", c.line+1, err)
		case err != nil && err != io.EOF:
			return nil, err
		case len(text) == 0:
			return nil, io.EOF
		}
		open := s.scan(text)
		switch {
		case open && err == nil && len(text) <= maxLine:
			if lines == 1 {
				first = len(text)
			}
		case lines == 1:
			return c.finish(&s, text, open), nil
		case open, s.stray, len(text) > maxLine, values > 0 && len(s.fields) != values:
			return c.brokenLine(first), nil
		default:
			r := c.finish(&s, text, open)
			r.lines = lines
			return r, nil
		}
	}
}

// room is where the fields of the next record go.
func (c *CSV) room() []field {
	if cap(c.fields)-len(c.fields) < len(c.header) {
		c.fields = make([]field, 0, max(1024, len(c.header)))
	}
	return c.fields[len(c.fields):len(c.fields)]
}

// brokenLine goes back to the end of the first line of what is no record.
func (c *CSV) brokenLine(first int) *record {
	c.input.backTo(first)
	text, _ := c.input.row() // it is shorter than what was read
	return c.finish(&splitter{}, text, true)
}

// finish makes a record of one line of what was read.
func (c *CSV) finish(s *splitter, text []byte, open bool) *record {
	if len(c.rows) == 0 {
		c.rows = make([]record, rowsAtOnce)
	}
	r := &c.rows[0]
	c.rows = c.rows[1:]
	text = c.text.keep(text)
	*r = record{text: trimEnd(text), lines: 1}
	if r.ending = text[len(r.text):]; len(r.ending) == 0 {
		r.ending = c.end
	}
	c.input.settle()
	switch {
	case len(text) > maxLine:
		r.fault = fault(FaultSyntax, "it is longer than %d bytes", maxLine)
	case open:
		r.fault = fault(FaultSyntax, openQuote)
	case s.stray:
		r.fault = fault(FaultSyntax, strayQuote)
	default:
		r.fields = s.fields[:len(s.fields):len(s.fields)]
		if end := len(c.fields) + len(s.fields); end <= cap(c.fields) {
			c.fields = c.fields[:end]
		}
	}
	return r
}

// splitter finds the values of a record.
type splitter struct {
	separator byte
	fields    []field
	at        int        // what was read
	from      int        // where the value begins that is read
	state     splitState // within it
	stray     bool       // a quote stands where none may be
}

type splitState int

const (
	atStart  splitState = iota // of a value
	plain                      // in one without quotes
	inQuotes                   // in one that began with a quote
	atQuote                    // behind a quote in it: its end, or the first of two
)

// scan reads the next line of a record, of which text is all so far, and says whether a value in quotes goes on behind it.
func (s *splitter) scan(text []byte) (open bool) {
	to := len(trimEnd(text))
	if s.state == atStart && bytes.IndexByte(text[s.at:to], '"') < 0 {
		s.scanPlain(text[:to])
		return false
	}
	for i := s.at; i < to; i++ {
		if s.state == inQuotes {
			n := bytes.IndexByte(text[i:to], '"')
			if n < 0 {
				break
			}
			i += n
		}
		s.step(i, text[i])
	}
	s.at = len(text)
	if s.state == inQuotes && !s.stray {
		return true
	}
	s.add(to)
	return false
}

// scanPlain reads a line without quotes.
func (s *splitter) scanPlain(text []byte) {
	for {
		n := bytes.IndexByte(text[s.from:], s.separator)
		if n < 0 {
			break
		}
		s.add(s.from + n)
	}
	s.add(len(text))
}

// step reads one byte.
func (s *splitter) step(i int, b byte) {
	switch {
	case s.state == inQuotes:
		if b == '"' {
			s.state = atQuote
		}
	case b == s.separator:
		s.add(i)
	case b == '"' && s.state == plain:
		s.stray = s.stray || s.separator != tab
	case b == '"':
		s.state = inQuotes // it begins, or goes on behind two
	case s.state == atQuote:
		s.stray, s.state = true, plain
	default:
		s.state = plain
	}
}

// add ends a value.
func (s *splitter) add(to int) {
	s.fields = append(s.fields, field{s.from, to})
	s.from, s.state = to+1, atStart
}
