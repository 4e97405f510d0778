package api

import "time"

// timeLayout is the form of every time in requests and answers, always UTC.
const timeLayout = "2006-01-02T15:04:05Z"

// Answer collects the members of an answer as JSON or XML in a buffer of the face, which is wiped after use.
// Members appear in the order of the calls. Request id, root element and outer braces are added by the face.
type Answer struct {
	buf   []byte
	base  int // length of what stands before the first member
	high  int // bytes of buf that were ever used by this request
	xml   bool
	rows  bool // of a batch action: bytes, no document
	root  string
	comma bool     // a JSON member or item stands before
	open  []string // elements to close in XML, innermost last; in JSON only their number counts
}

// Reset drops everything written so far: a handler that may run twice calls it first.
func (a *Answer) Reset() {
	a.high = max(a.high, len(a.buf))
	a.buf = a.buf[:a.base]
	a.comma = false
	a.open = a.open[:0]
}

// begin starts the document: XML with a root element, or JSON.
func (a *Answer) begin(xml bool, root string) {
	a.base = 0
	a.Reset()
	a.xml, a.root, a.rows = xml, root, false
	if xml {
		a.buf = append(a.buf, xmlProlog...)
		a.buf = appendXMLOpen(a.buf, root)
	} else {
		a.buf = append(a.buf, '{')
	}
	a.base = len(a.buf)
}

// beginRows starts an answer of rows, which has neither request id nor braces.
func (a *Answer) beginRows() {
	a.base = 0
	a.Reset()
	a.rows = true
}

// finish adds the request id and ends the document.
func (a *Answer) finish(requestID string) []byte {
	a.Text("RequestId", requestID)
	return a.end()
}

// end closes the document.
func (a *Answer) end() []byte {
	if a.xml {
		a.buf = appendXMLClose(a.buf, a.root)
	} else {
		a.buf = append(a.buf, '}')
	}
	return a.buf
}

// wipe clears everything the buffer held.
func (a *Answer) wipe() {
	clear(a.buf[:max(a.high, len(a.buf))])
	if cap(a.buf) > maxPooled {
		a.buf = make([]byte, 0, minBuffer)
	}
	*a = Answer{buf: a.buf[:0], open: a.open[:0]}
}

// Text adds a member with text. Bytes that are not UTF-8 and characters that XML cannot hold become U+FFFD.
func (a *Answer) Text(name, value string) {
	if a.xml {
		a.buf = appendXMLOpen(a.buf, name)
		a.buf = appendXMLText(a.buf, value)
		a.buf = appendXMLClose(a.buf, name)
		return
	}
	a.member(name)
	a.buf = appendJSONText(a.buf, value)
}

// Base64 adds a member with bytes in padded standard Base64.
func (a *Answer) Base64(name string, b []byte) {
	if a.xml {
		a.buf = appendXMLOpen(a.buf, name)
		a.buf = appendBase64(a.buf, b)
		a.buf = appendXMLClose(a.buf, name)
		return
	}
	a.member(name)
	a.buf = append(a.buf, '"')
	a.buf = appendBase64(a.buf, b)
	a.buf = append(a.buf, '"')
}

// Number adds a member with a count.
func (a *Answer) Number(name string, n int64) {
	a.plain(name, func(b []byte) []byte { return appendInt(b, n) })
}

// Bool adds a member that is true or false.
func (a *Answer) Bool(name string, v bool) {
	a.plain(name, func(b []byte) []byte { return appendBool(b, v) })
}

// Time adds a member with a time, to the second, in UTC. The zero time is empty text.
func (a *Answer) Time(name string, t time.Time) {
	if t.IsZero() {
		a.Text(name, "")
		return
	}
	var text [len(timeLayout)]byte
	a.Text(name, string(t.UTC().AppendFormat(text[:0], timeLayout)))
}

// plain adds a member whose value needs no quotes and no escaping.
func (a *Answer) plain(name string, value func([]byte) []byte) {
	if a.xml {
		a.buf = appendXMLOpen(a.buf, name)
		a.buf = appendXMLClose(value(a.buf), name)
		return
	}
	a.member(name)
	a.buf = value(a.buf)
}

// Object opens a member that holds members; End closes it.
func (a *Answer) Object(name string) {
	if a.xml {
		a.buf = appendXMLOpen(a.buf, name)
	} else {
		a.member(name)
		a.buf = append(a.buf, '{')
		a.comma = false
	}
	a.open = append(a.open, name)
}

// End closes what Object opened.
func (a *Answer) End() {
	name := a.pop()
	if a.xml {
		a.buf = appendXMLClose(a.buf, name)
		return
	}
	a.buf = append(a.buf, '}')
	a.comma = true
}

// List opens a list, {"outer":{"inner":[...]}}; in XML the inner element is repeated for each item. Items are written
// by Item and EndItem (objects) or ItemText; EndList closes.
func (a *Answer) List(outer, inner string) {
	if a.xml {
		a.buf = appendXMLOpen(a.buf, outer)
	} else {
		a.member(outer)
		a.buf = append(a.buf, '{')
		a.comma = false
		a.member(inner)
		a.buf = append(a.buf, '[')
		a.comma = false
	}
	a.open = append(a.open, outer, inner)
}

// Item opens an item that holds members; EndItem closes it.
func (a *Answer) Item() {
	if a.xml {
		a.buf = appendXMLOpen(a.buf, a.open[len(a.open)-1])
		return
	}
	a.separate()
	a.buf = append(a.buf, '{')
	a.comma = false
}

// EndItem closes what Item opened.
func (a *Answer) EndItem() {
	if a.xml {
		a.buf = appendXMLClose(a.buf, a.open[len(a.open)-1])
		return
	}
	a.buf = append(a.buf, '}')
	a.comma = true
}

// ItemText adds an item that is text.
func (a *Answer) ItemText(value string) {
	if a.xml {
		name := a.open[len(a.open)-1]
		a.buf = appendXMLOpen(a.buf, name)
		a.buf = appendXMLText(a.buf, value)
		a.buf = appendXMLClose(a.buf, name)
		return
	}
	a.separate()
	a.buf = appendJSONText(a.buf, value)
}

// EndList closes what List opened.
func (a *Answer) EndList() {
	a.pop()
	outer := a.pop()
	if a.xml {
		a.buf = appendXMLClose(a.buf, outer)
		return
	}
	a.buf = append(a.buf, ']', '}')
	a.comma = true
}

// pop takes the innermost open element.
func (a *Answer) pop() string {
	name := a.open[len(a.open)-1]
	a.open = a.open[:len(a.open)-1]
	return name
}
