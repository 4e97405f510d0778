package migrate

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"meridian/crypto"
)

// maxLine bounds a row of JSONL, in bytes: far more than a blob and a context can have.
const maxLine = 1 << 20

// jsonRow is a row of JSONL, with what it needs to be written again.
type jsonRow struct {
	row           Row
	line          []byte
	ending        []byte
	parsed        bool // it is an object that has members
	blob, context span // the values of these members, if they are there
	from, status  span
	number        span
	end           int // where the closing brace stands
}

// span is a part of a line; the zero value is none.
type span struct{ from, to int }

// JSONLines reads rows that are a JSON object a line.
type JSONLines struct {
	columns Columns
	input   *feed
	number  int64
	line    int64

	object object
	text   arena
	rows   []jsonRow // to be handed out
}

// NewJSONLines reads rows from r.
func NewJSONLines(r io.Reader, columns Columns) *JSONLines {
	return &JSONLines{columns: columns, input: feedOf(r)}
}

// Offset is how many bytes the rows that were read took.
func (j *JSONLines) Offset() int64 { return j.input.offset() }

// rowsAtOnce is how many rows are made together.
const rowsAtOnce = 32

// newRow is the next row: a line whose text has so many bytes.
func (j *JSONLines) newRow(line []byte, text int) *jsonRow {
	if len(j.rows) == 0 {
		j.rows = make([]jsonRow, rowsAtOnce)
	}
	r := &j.rows[0]
	j.rows = j.rows[1:]
	j.number++
	r.line, r.ending = line[:text], endOf(line, line[:text])
	r.row = Row{Number: j.number, Line: j.line, size: len(line), carried: r}
	return r
}

// Next returns the next row; [io.EOF] after the last. Empty lines are passed over. A row that cannot be read is a row with
// a Fault, and its line is carried through as it is.
func (j *JSONLines) Next() (*Row, error) {
	for {
		line, err := j.input.line()
		if err == errTooLong {
			return nil, fmt.Errorf("line %d: %w", j.line+1, err)
		}
		if err != nil && (err != io.EOF || len(line) == 0) {
			return nil, err
		}
		if j.line++; j.line == 1 {
			line = bytes.TrimPrefix(line, []byte(byteOrderMark))
		}
		text := trimEnd(line)
		if len(text) == 0 {
			j.input.settle()
			continue
		}
		r := j.newRow(j.text.keep(line), len(text))
		j.input.settle()
		if len(text) > maxLine {
			r.row.Fault = fault(FaultSyntax, "it is longer than %d bytes", maxLine)
		} else {
			j.parse(r)
		}
		return &r.row, nil
	}
}

// trimEnd takes the end of a line off, of either kind.
func trimEnd(text []byte) []byte {
	n := len(text)
	if n > 0 && text[n-1] == '\n' {
		n--
		if n > 0 && text[n-1] == '\r' {
			n--
		}
	}
	return text[:n]
}

// endOf is how a line ends; the last one may have no end, and gets the usual one.
func endOf(line, text []byte) []byte {
	if end := line[len(text):]; len(end) > 0 {
		return end
	}
	return []byte("\n")
}

// parse reads the members of a row that mean something.
func (j *JSONLines) parse(r *jsonRow) {
	if reason := j.object.split(r.line); reason != "" {
		r.row.Fault = fault(FaultSyntax, "%s", reason)
		return
	}
	r.parsed, r.end = len(j.object.members) > 0, j.object.end
	for _, m := range j.object.members {
		j.parseMember(r, m)
	}
	if r.blob == (span{}) {
		r.row.setFault(fault(FaultNoBlob, "it has no %q", j.columns.Blob))
	}
}

// parseMember reads one of them.
func (j *JSONLines) parseMember(r *jsonRow, m member) {
	row, at := &r.row, span{m.from, m.to}
	switch j.columns.role(string(m.name)) {
	case roleBlob:
		r.blob = at
		if text, ok := m.text(); ok {
			row.setBlobIn(&j.text, text)
		} else {
			row.setFault(fault(FaultNoBlob, "%q is not a text", j.columns.Blob))
		}
	case roleID:
		if text, ok := m.text(); ok {
			row.ID = string(text)
		} else if string(m.value) != "null" { // else it has none
			row.ID = string(m.value)
		}
	case roleContext:
		r.context = at
		if context, ok := row.parseContext(m.value); ok {
			row.Context = context
		}
	case roleContextTo:
		row.setTarget(m.value)
	case roleTo:
		if text, ok := m.text(); ok {
			row.To = string(text)
		} else if string(m.value) != "null" {
			row.setFault(fault(FaultSyntax, "%q is not a text", j.columns.To))
		}
	case roleFrom:
		r.from = at
	case roleStatus:
		r.status = at
	case roleNumber:
		r.number = at
		row.setInputRow(m.value)
	}
}

// setFault notes what is wrong with a row; the first fault stays.
func (r *Row) setFault(e *RowError) {
	if r.Fault == nil {
		r.Fault = e
	}
}

// base64Blob is how blobs are written: standard Base64 with padding, of which there is one form for each blob.
var base64Blob = base64.StdEncoding.Strict()

// setBlob decodes a blob, which is standard Base64 with padding.
func (r *Row) setBlob(text string) { r.setBlobIn(&arena{}, []byte(text)) }

// setBlobIn decodes a blob into a piece of room.
func (r *Row) setBlobIn(room *arena, text []byte) {
	if len(text)%4 != 0 { // also one with line ends in it, which the decoder passes over
		r.setFault(fault(FaultNoBlob, "it is not standard Base64"))
		return
	}
	blob := room.take(base64Blob.DecodedLen(len(text)))
	n, err := base64Blob.Decode(blob, text)
	if err != nil || base64Blob.EncodedLen(n) != len(text) {
		r.setFault(fault(FaultNoBlob, "it is not standard Base64"))
		return
	}
	r.Blob = blob[:n:n]
}

// setTarget reads the context that the new blob is to be sealed in; null leaves that to others.
func (r *Row) setTarget(text []byte) {
	if string(text) == "null" {
		return
	}
	if context, ok := r.parseContext(text); ok {
		r.Target = &context
	}
}

// parseContext reads an encryption context; null and empty are none.
func (r *Row) parseContext(text []byte) (crypto.Context, bool) {
	if len(text) == 0 || string(text) == "null" {
		return crypto.Context{}, true
	}
	context, err := crypto.ParseContext(text)
	if err != nil {
		var reason *crypto.ContextError
		if errors.As(err, &reason) {
			r.setFault(fault(FaultContext, "%s", reason.Reason))
		} else {
			r.setFault(fault(FaultContext, "it cannot be read"))
		}
		return crypto.Context{}, false
	}
	return context, true
}

// AppendRow appends a row with its outcome: the line as it was, with the new blob and its context in the place of the old
// ones, and the members from and status, which are replaced if they are there. A line that could not be read stays as it is.
func (j *JSONLines) AppendRow(dst []byte, row *Row, o *Outcome) []byte {
	r := row.carried.(*jsonRow)
	if !r.parsed {
		return append(append(dst, r.line...), r.ending...)
	}
	places := [...]span{memberFrom: r.from, memberStatus: r.status, memberBlob: {}, memberContext: {}, memberNumber: r.number}
	newContext := false
	if o.Status == Moved {
		places[memberBlob] = r.blob
		if newContext = row.newContext(); newContext {
			places[memberContext] = r.context
		}
	}
	at := 0
	for next := r.nextPlace(&places); next >= 0; next = r.nextPlace(&places) {
		dst = append(dst, r.line[at:places[next].from]...)
		dst = appendMember(dst, next, row, o)
		at = places[next].to
		places[next] = span{}
	}
	dst = append(dst, r.line[at:r.end]...)
	if newContext && r.context == (span{}) {
		dst = append(appendJSONText(append(dst, ','), j.columns.Context), ':')
		dst = appendMember(dst, memberContext, row, o)
	}
	if r.from == (span{}) && j.columns.role(ColumnFrom) == roleFrom {
		dst = append(dst, `,"from":`...)
		dst = appendMember(dst, memberFrom, row, o)
	}
	if r.status == (span{}) && j.columns.role(ColumnStatus) == roleStatus {
		dst = append(dst, `,"status":`...)
		dst = appendMember(dst, memberStatus, row, o)
	}
	if r.number == (span{}) && j.columns.role(ColumnInputRow) == roleNumber {
		dst = append(dst, `,"input_row":`...)
		dst = appendMember(dst, memberNumber, row, o)
	}
	dst = append(dst, r.line[r.end:]...)
	return append(dst, r.ending...)
}

// nextPlace is which of the places comes first in the line; -1 if none is left.
func (r *jsonRow) nextPlace(places *[memberKinds]span) int {
	next := -1
	for i, p := range places {
		if p != (span{}) && (next < 0 || p.from < places[next].from) {
			next = i
		}
	}
	return next
}

// The members of a row that an outcome decides about.
const (
	memberFrom = iota
	memberStatus
	memberBlob
	memberContext
	memberNumber
	memberKinds
)

// appendMember appends the value of one of them.
func appendMember(dst []byte, which int, row *Row, o *Outcome) []byte {
	switch which {
	case memberFrom:
		return appendJSONText(dst, o.From)
	case memberStatus:
		return appendJSONText(dst, string(o.Status))
	case memberNumber:
		return strconv.AppendInt(dst, row.Number, 10)
	case memberContext:
		return append(dst, contextText(row.sealing())...)
	}
	dst = append(dst, '"')
	dst = base64Blob.AppendEncode(dst, o.Blob)
	return append(dst, '"')
}

// appendJSONText appends a text in quotes.
func appendJSONText(dst []byte, text string) []byte {
	for i := range len(text) {
		if b := text[i]; b < ' ' || b > '~' || b == '"' || b == '\\' || b == '<' || b == '>' || b == '&' {
			b, err := json.Marshal(text)
			if err != nil { // of a text there is none
				return append(dst, `""`...)
			}
			return append(dst, b...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, text...)
	return append(dst, '"')
}

// contextText is a context as rows have it.
func contextText(c crypto.Context) string {
	text, err := jsonObject(c.Pairs())
	if err != nil { // of texts there is none
		return "{}"
	}
	return text
}
