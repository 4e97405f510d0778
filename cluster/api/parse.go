package api

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/bits"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"meridian/cluster/api/batch"
)

const (
	// MaxBodyBytes bounds the body of a request that is a form.
	MaxBodyBytes = 64 << 10
	// MaxParams bounds the parameters of a request.
	MaxParams = 256

	formType = "application/x-www-form-urlencoded"
)

// parse reads the body and decodes query and form into sorted parameters.
func (x *exchange) parse(r *http.Request) *Error {
	if err := x.readBody(r); err != nil {
		return err
	}
	x.prepare()
	query := r.URL.RawQuery
	encoded := len(query)
	if !x.rows {
		encoded += len(x.body)
	}
	x.decoded = grow(x.decoded, encoded)
	if err := x.decode(bytesOf(query), false); err != nil {
		return err
	}
	if x.rows {
		x.call.Body = x.body
	} else if err := x.decode(x.body, true); err != nil {
		return err
	}
	return x.sortParams()
}

// readBody reads a body, which is a form or, signed with V3, rows of a batch action. An empty body may have any type.
func (x *exchange) readBody(r *http.Request) *Error {
	if len(r.Header["Content-Encoding"]) > 0 {
		return errParse("Content-Encoding is not served")
	}
	if r.ContentLength == 0 {
		return nil
	}
	limit := MaxBodyBytes
	if x.rows = isV3(r) && first(r, "Content-Type") == batch.ContentType; x.rows {
		limit, x.bodies = batch.MaxBytes, x.ofRows
	}
	if r.ContentLength > int64(limit) {
		return errTooLarge("the body is over " + decimal(int64(limit)>>10) + " KiB")
	}
	if err := x.charge(waitingRequest + headBytes(r) + cap(x.body)); err != nil {
		return err
	}
	for {
		if err := x.growBody(r.ContentLength, limit); err != nil {
			return err
		}
		n, err := r.Body.Read(x.body[len(x.body):cap(x.body)])
		x.body = x.body[:len(x.body)+n]
		if len(x.body) > limit {
			return errTooLarge("the body is over " + decimal(int64(limit)>>10) + " KiB")
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return errParse("the body did not arrive whole")
		}
	}
	if len(x.body) == 0 {
		return nil
	}
	types := r.Header["Content-Type"]
	if !x.rows && (len(types) != 1 || !isForm(types[0])) {
		return errParse("the body must be of type " + formType)
	}
	return nil
}

// growBody makes room for more of a body of the declared length, -1 if that is not known. What a caller only declares
// takes no memory: the buffer doubles as bytes arrive, up to the body and one byte more, for its end to be read. A buffer
// that is outgrown is wiped.
func (x *exchange) growBody(declared int64, limit int) *Error {
	have := cap(x.body)
	if len(x.body) < have {
		return nil
	}
	most := limit + 1
	if declared >= 0 {
		most = int(declared) + 1
	}
	size := max(firstBody, min(2*have, most), have+1)
	if err := x.charge(size - have); err != nil {
		return err
	}
	larger := make([]byte, len(x.body), size)
	copy(larger, x.body)
	clear(x.body)
	x.body = larger
	return nil
}

// isForm reports whether a Content-Type is that of a form, in any case and with any parameters.
func isForm(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.Trim(media, " \t"), formType)
}

// decode splits text on & and the first = of each pair, and appends the decoded pairs to the parameters. A semicolon is
// an ordinary byte; empty pairs are skipped. x.decoded has room for all of it: decoding never makes text longer.
func (x *exchange) decode(text []byte, form bool) *Error {
	for len(text) > 0 {
		var pair []byte
		if i := bytes.IndexByte(text, '&'); i >= 0 {
			pair, text = text[:i], text[i+1:]
		} else {
			pair, text = text, nil
		}
		if len(pair) == 0 {
			continue
		}
		if len(x.params) == MaxParams {
			return errParse("it has more than 256 parameters")
		}
		name, value := pair, pair[len(pair):]
		if i := bytes.IndexByte(pair, '='); i >= 0 {
			name, value = pair[:i], pair[i+1:]
		}
		p := Param{form: form}
		var ok bool
		if p.Name, ok = x.unescape(name); !ok {
			return errParse("the name of a parameter has a bad escape or is not UTF-8")
		}
		if p.Value, ok = x.unescape(value); !ok {
			return errParse("the value of " + shorten(p.Name) + " has a bad escape or is not UTF-8")
		}
		x.params = append(x.params, p)
	}
	return nil
}

// unescape appends decoded text to x.decoded and returns it: + is a space, % and two hex digits are a byte. It reports
// false for a bad escape and for bytes that are not UTF-8.
func (x *exchange) unescape(s []byte) (string, bool) {
	start := len(x.decoded)
	out := x.decoded
	defer func() { x.decoded = out }()
	for len(s) > 0 {
		n := plainRun(s)
		out = append(out, s[:n]...)
		if s = s[n:]; len(s) == 0 {
			break
		}
		if s[0] == '+' {
			out = append(out, ' ')
			s = s[1:]
			continue
		}
		if len(s) < 3 {
			return "", false
		}
		high, low := unhex[s[1]], unhex[s[2]]
		if high|low > 15 {
			return "", false
		}
		out = append(out, high<<4|low)
		s = s[3:]
	}
	text := out[start:]
	return stringOf(text), utf8.Valid(text)
}

// plainRun returns the length of the run before the first % or +, eight bytes at a time.
func plainRun(s []byte) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(s); i += 8 {
		w := binary.LittleEndian.Uint64(s[i:])
		percent, plus := w^(ones*'%'), w^(ones*'+')
		// A byte of zero borrows into its high bit; the lowest hit is exact.
		if hit := ((percent - ones) &^ percent & highs) | ((plus - ones) &^ plus & highs); hit != 0 {
			return i + bits.TrailingZeros64(hit)/8
		}
	}
	for ; i < len(s); i++ {
		if s[i] == '%' || s[i] == '+' {
			return i
		}
	}
	return i
}

// unhex gives the value of a hex digit, 0xff for other bytes.
var unhex = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	for i := range byte(10) {
		t['0'+i] = i
	}
	for i := range byte(6) {
		t['a'+i], t['A'+i] = 10+i, 10+i
	}
	return t
}()

// sortParams sorts the parameters by name and refuses names that occur twice.
func (x *exchange) sortParams() *Error {
	slices.SortFunc(x.params, func(a, b Param) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(x.params); i++ {
		if x.params[i].Name == x.params[i-1].Name {
			return errParse("parameter " + shorten(x.params[i].Name) + " is given twice")
		}
	}
	x.call.Params = x.params
	return nil
}

// maxQuoted bounds how much of a name or value that the caller made up is said back to it.
const maxQuoted = 64

// shorten cuts text of the caller's to a length that is safe to repeat in a message.
func shorten(name string) string {
	if len(name) <= maxQuoted {
		return name
	}
	cut := maxQuoted
	for cut > 0 && !utf8.RuneStart(name[cut]) {
		cut--
	}
	return name[:cut] + "…"
}
