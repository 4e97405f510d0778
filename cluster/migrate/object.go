package migrate

import (
	"bytes"
	"encoding/json"
)

// member is one member of a JSON object, as it stands in the text.
type member struct {
	name  string // decoded
	value []byte // the text of the value, without blanks around it
	from  int    // where the value begins and ends in the line
	to    int
}

// splitObject takes the text of a JSON object apart without changing any of it. It reports a reason if the text is not
// one whole object, or has a name twice: which of both counts would be anybody's guess.
func splitObject(line []byte) (members []member, reason string) {
	if !json.Valid(line) {
		return nil, "it is not valid JSON"
	}
	at := skipBlanks(line, 0)
	if at == len(line) || line[at] != '{' {
		return nil, "it is not a JSON object"
	}
	at = skipBlanks(line, at+1)
	if line[at] == '}' {
		return nil, ""
	}
	for {
		end := skipValue(line, at)
		var m member
		if err := json.Unmarshal(line[at:end], &m.name); err != nil {
			return nil, "it is not valid JSON"
		}
		at = skipBlanks(line, end)
		m.from = skipBlanks(line, at+1) // behind the colon
		m.to = skipValue(line, m.from)
		m.value = line[m.from:m.to]
		for _, other := range members {
			if other.name == m.name {
				return nil, "it has a member twice"
			}
		}
		members = append(members, m)
		at = skipBlanks(line, m.to)
		if line[at] == '}' {
			return members, ""
		}
		at = skipBlanks(line, at+1) // behind the comma
	}
}

// skipBlanks returns where the next byte that is no blank stands. The text is valid JSON.
func skipBlanks(text []byte, at int) int {
	for at < len(text) && (text[at] == ' ' || text[at] == '\t' || text[at] == '\r' || text[at] == '\n') {
		at++
	}
	return at
}

// skipValue returns where the value that begins at at ends. The text is valid JSON.
func skipValue(text []byte, at int) int {
	switch text[at] {
	case '"':
		for at++; text[at] != '"'; at++ {
			if text[at] == '\\' {
				at++
			}
		}
		return at + 1
	case '{', '[':
		for depth := 0; ; {
			switch text[at] {
			case '"':
				at = skipValue(text, at)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return at + 1
				}
			}
			at++
		}
	}
	if n := bytes.IndexAny(text[at:], " \t\r\n,}]"); n >= 0 {
		return at + n
	}
	return len(text)
}
