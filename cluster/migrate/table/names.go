package table

import (
	"errors"
	"fmt"
	"strings"
)

// parseTable reads the name of a table, with or without its schema. Each part is taken as it stands, and one with a dot or
// a blank inside may stand in the quotes of the dialect, doubled where they are part of it.
func parseTable(text string, quote byte) (schema, name string, err error) {
	first, rest, err := cutName(text, quote)
	if err != nil || rest == "" {
		return "", first, err
	}
	second, rest, err := cutName(rest[1:], quote)
	if err == nil && rest != "" {
		err = errors.New("a table has a schema and a name at the most")
	}
	return first, second, err
}

// cutName takes a name off the front; the rest is empty or begins with a dot.
func cutName(text string, quote byte) (name, rest string, err error) {
	if text == "" || text[0] != quote {
		end := strings.IndexByte(text, '.')
		if end < 0 {
			end = len(text)
		}
		return text[:end], text[end:], checkName(text[:end])
	}
	var b strings.Builder
	for at := 1; at < len(text); at++ {
		if text[at] != quote {
			b.WriteByte(text[at])
			continue
		}
		if at++; at < len(text) && text[at] == quote {
			b.WriteByte(quote)
			continue
		}
		if at < len(text) && text[at] != '.' {
			return "", "", fmt.Errorf("%s: a dot or nothing follows the closing quote", text)
		}
		return b.String(), text[at:], checkName(b.String())
	}
	return "", "", fmt.Errorf("%s: the closing quote is missing", text)
}

// checkName refuses what no database takes as a name.
func checkName(name string) error {
	if name == "" {
		return errors.New("a name is empty")
	}
	if strings.IndexByte(name, 0) >= 0 {
		return errors.New("a name has a zero byte")
	}
	return nil
}

// quoteName writes a name into SQL so that it is one, whatever it holds.
func quoteName(name string, quote byte) string {
	q := string(quote)
	return q + strings.ReplaceAll(name, q, q+q) + q
}
