package migrate

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"

	"meridian/crypto"
)

// maxLine bounds a row of JSONL, in bytes: far more than a blob and a context can have.
const maxLine = 1 << 20

// Columns are the names of the members or columns of a row that mean something here. All others are carried through.
type Columns struct {
	ID, Blob, Context, To string
	ContextTo             string // context that the new blob is to be sealed in
	// NewContexts says that rows may get contexts that the input has no column for: the output has one then.
	NewContexts bool
}

// DefaultColumns are the names that are meant if nobody says.
var DefaultColumns = Columns{ID: "id", Blob: "ciphertext", Context: "context", To: "to", ContextTo: "context_to"}

// jsonRow is what a row of JSONL needs to be written again.
type jsonRow struct {
	line    []byte
	members []member
}

// JSONLines reads rows that are a JSON object a line.
type JSONLines struct {
	columns Columns
	lines   *bufio.Reader
	number  int64
	line    int64
	read    int64 // bytes
}

// NewJSONLines reads rows from r.
func NewJSONLines(r io.Reader, columns Columns) *JSONLines {
	return &JSONLines{columns: columns, lines: bufio.NewReaderSize(r, 64<<10)}
}

// Offset is how many bytes the rows that were read took.
func (j *JSONLines) Offset() int64 { return j.read }

// Next returns the next row; [io.EOF] after the last. Empty lines are passed over. A row that cannot be read is a row with
// a Fault, and its line is carried through as it is.
func (j *JSONLines) Next() (*Row, error) {
	for {
		line, err := j.readLine()
		if err != nil {
			return nil, err
		}
		j.line++
		if len(line.text) == 0 && !line.cut {
			continue
		}
		j.number++
		row := &Row{Number: j.number, Line: j.line, carried: &jsonRow{line: line.text}}
		if line.cut {
			row.Fault = fault(FaultSyntax, "it is longer than %d bytes", maxLine)
		} else {
			j.parse(row)
		}
		return row, nil
	}
}

type textLine struct {
	text []byte // without its end
	cut  bool   // it was too long, and is not whole
}

// readLine reads up to a line's end or the end of the input. The text of a line that is too long is dropped.
func (j *JSONLines) readLine() (textLine, error) {
	var l textLine
	read := int64(0)
	for {
		part, err := j.lines.ReadSlice('\n')
		read += int64(len(part))
		if !l.cut {
			l.text = append(l.text, part...)
		}
		if len(l.text) > maxLine+2 {
			l.text, l.cut = nil, true
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err == io.EOF && len(l.text) == 0 && !l.cut:
			return l, io.EOF
		case err != nil && err != io.EOF:
			return l, err
		}
		l.text = trimEnd(l.text)
		j.read += read
		return l, nil
	}
}

// trimEnd takes the end of a line off, of either kind.
func trimEnd(text []byte) []byte {
	n := len(text)
	if n > 0 && text[n-1] == '\n' {
		n--
	}
	if n > 0 && text[n-1] == '\r' {
		n--
	}
	return text[:n]
}

// parse reads the members of a row that mean something.
func (j *JSONLines) parse(row *Row) {
	carried := row.carried.(*jsonRow)
	members, reason := splitObject(carried.line)
	if reason != "" {
		row.Fault = fault(FaultSyntax, "%s", reason)
		return
	}
	carried.members = members
	hasBlob := false
	for _, m := range members {
		switch m.name {
		case j.columns.ID:
			row.ID = idText(m.value)
		case j.columns.Blob:
			hasBlob = true
			var text string
			if json.Unmarshal(m.value, &text) != nil || m.value[0] != '"' {
				row.setFault(fault(FaultNoBlob, "%q is not a text", j.columns.Blob))
				continue
			}
			row.setBlob(text)
		case j.columns.Context:
			if context, ok := row.parseContext(m.value); ok {
				row.Context = context
			}
		case j.columns.ContextTo:
			row.setTarget(m.value)
		case j.columns.To:
			if json.Unmarshal(m.value, &row.To) != nil {
				row.setFault(fault(FaultSyntax, "%q is not a text", j.columns.To))
			}
		}
	}
	if !hasBlob {
		row.setFault(fault(FaultNoBlob, "it has no %q", j.columns.Blob))
	}
}

// idText is an id as text: a text without its quotes, anything else as it is written.
func idText(value []byte) string {
	var text string
	if value[0] == '"' && json.Unmarshal(value, &text) == nil {
		return text
	}
	return string(value)
}

// setFault notes what is wrong with a row; the first fault stays.
func (r *Row) setFault(e *RowError) {
	if r.Fault == nil {
		r.Fault = e
	}
}

// setBlob decodes a blob, which is standard Base64 with padding.
func (r *Row) setBlob(text string) {
	blob, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || base64.StdEncoding.EncodedLen(len(blob)) != len(text) {
		r.setFault(fault(FaultNoBlob, "it is not standard Base64"))
		return
	}
	r.Blob = blob
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

// parseContext reads an encryption context; null is none. One that cannot be read is a fault of the row.
func (r *Row) parseContext(text []byte) (crypto.Context, bool) {
	if string(text) == "null" {
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
	carried := row.carried.(*jsonRow)
	if carried.members == nil {
		return append(append(dst, carried.line...), '\n')
	}
	news := map[string]string{"from": jsonText(o.From), "status": jsonText(string(o.Status))}
	if o.Status == Moved {
		news[j.columns.Blob] = jsonText(o.text())
		if row.newContext() {
			news[j.columns.Context] = contextText(row.sealing())
		}
	}
	at := 0
	for _, m := range carried.members {
		value, changed := news[m.name]
		if !changed {
			continue
		}
		delete(news, m.name)
		dst = append(dst, carried.line[at:m.from]...)
		dst = append(dst, value...)
		at = m.to
	}
	end := lastBrace(carried.line)
	dst = append(dst, carried.line[at:end]...)
	for _, name := range []string{j.columns.Context, "from", "status"} { // in this order; the blob is always there
		if value, left := news[name]; left {
			dst = append(append(append(append(dst, ','), jsonText(name)...), ':'), value...)
			delete(news, name)
		}
	}
	dst = append(dst, carried.line[end:]...)
	return append(dst, '\n')
}

// lastBrace is where an object ends.
func lastBrace(line []byte) int {
	at := len(line) - 1
	for line[at] != '}' {
		at--
	}
	return at
}

// jsonText is a text in quotes.
func jsonText(text string) string {
	b, err := json.Marshal(text)
	if err != nil { // of a text there is none
		return `""`
	}
	return string(b)
}

// contextText is a context as rows have it.
func contextText(c crypto.Context) string {
	text, err := jsonObject(c.Pairs())
	if err != nil { // of texts there is none
		return "{}"
	}
	return text
}
