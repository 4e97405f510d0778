package migrate

import (
	"strings"
	"testing"
)

// tsvRows reads every row of a text with tabs.
func tsvRows(t *testing.T, text string, columns Columns) (*CSV, []*Row) {
	t.Helper()
	return separatedRows(t, text, tab, columns)
}

// JSON stands in TSV as databases write it. What was in quotes is so afterwards, and nothing else is.
func TestTSVIsCarriedThrough(t *testing.T) {
	columns := DefaultColumns
	columns.NewContexts = true
	c, rows := tsvRows(t, "id\tciphertext\tcontext\t5\" disks\r\n"+
		"1\tAAAA\t{\"app\":\"pay\"}\tsaid \"\"\r\n"+
		"\"2\"\t\"AAAA\"\t\"{\"\"app\"\":\"\"pay\"\"}\"\t\"a\tb\r\n\"\"c\"\"\"\n"+
		"3\tAAAA\t\t\\N", columns)
	if len(rows) != 3 || rows[2].Line != 5 {
		t.Fatalf("%+v", rows)
	}
	if h := string(c.Header()); h != "id\tciphertext\tcontext\t5\" disks\tfrom\tstatus\r\n" {
		t.Errorf("header %q", h)
	}
	rules, err := ParseContextRules([]string{"x=a\t\"b"})
	if err != nil {
		t.Fatal(err)
	}
	kept, moved := &Outcome{Status: Kept, From: "k"}, &Outcome{Status: Moved, Blob: []byte{1, 2, 3}, From: "k"}
	for i, want := range []struct{ id, kept, moved string }{
		{"1", "1\tAAAA\t{\"app\":\"pay\"}\tsaid \"\"\tk\tkept\r\n",
			"1\tAQID\t{\"app\":\"pay\",\"x\":\"a\\t\\\"b\"}\tsaid \"\"\tk\tmoved\r\n"},
		{"2", "\"2\"\t\"AAAA\"\t\"{\"\"app\"\":\"\"pay\"\"}\"\t\"a\tb\r\n\"\"c\"\"\"\tk\tkept\n",
			"\"2\"\t\"AQID\"\t\"{\"\"app\"\":\"\"pay\"\",\"\"x\"\":\"\"a\\t\\\"\"b\"\"}\"\t\"a\tb\r\n\"\"c\"\"\"\tk\tmoved\n"},
		{"3", "3\tAAAA\t\t\\N\tk\tkept\r\n", "3\tAQID\t{\"x\":\"a\\t\\\"b\"}\t\\N\tk\tmoved\r\n"},
	} {
		row := rows[i]
		if pairs := row.Context.Pairs(); row.Fault != nil || row.ID != want.id || len(row.Blob) != 3 || i < 2 && (len(pairs) != 1 || pairs[0].Value != "pay") {
			t.Errorf("row %d: %+v", i+1, row)
			continue
		}
		if got := string(c.AppendRow(nil, row, kept)); got != want.kept {
			t.Errorf("row %d: %q, want %q", i+1, got, want.kept)
		}
		Rules{Contexts: rules}.Apply(row)
		if got := string(c.AppendRow(nil, row, moved)); got != want.moved {
			t.Errorf("row %d: %q, want %q", i+1, got, want.moved)
		}
	}
}

// New values stand in quotes only where they would be read as others without.
func TestQuotesOfNewTSVValues(t *testing.T) {
	c, _ := tsvRows(t, "ciphertext\n", DefaultColumns)
	for value, want := range map[string]string{
		"": "", "a": "a", "a,b": "a,b", "a\"": "a\"", "{\"a\":\"b\"}": "{\"a\":\"b\"}",
		"\"a": "\"\"\"a\"", "a\tb": "\"a\tb\"", "a\nb": "\"a\nb\"", "a\rb": "\"a\rb\"", "a\"\tb": "\"a\"\"\tb\"",
	} {
		if got := string(c.appendValue(nil, value, false)); got != want {
			t.Errorf("%q is written as %q, want %q", value, got, want)
		}
	}
}

// A value that begins with a quote is one in quotes: where it does not end as such, it costs its own row and no other, also
// where quotes stand within the values behind it.
func TestTSVQuotesTooMany(t *testing.T) {
	const head, good = "id\tciphertext\tcontext\tnote\n", "8\tAAAA\t{\"a\":\"b\"}\t5\" disk\n9\tAAAA\t{\"a\":\"b\"}\t\"x\n\ty\"\n"
	long := strings.Repeat("7\tAAAA\t{\"a\":\"b\"}\tx\n", maxLine/16)
	for text, want := range map[string]struct {
		bad, goods int
		reason     string
	}{
		"1\tAAAA\t\t\"disk\n":                            {1, 0, openQuote},
		"1\tAAAA\t\t\"5\" disk\n":                        {1, 0, strayQuote},
		"1\tAAAA\t\t\"5\" \"disk\"\n":                    {1, 0, strayQuote},
		"1\tAAAA\t\"{\"a\":\"b\"}\tx\n":                  {1, 0, strayQuote},
		"1\tAAAA\t\t\"\n" + long:                         {1, maxLine / 16, openQuote},
		"\"1\tAAAA\t\tx\n" + long:                        {1, maxLine / 16, openQuote},
		"1\tAAAA\t\t\"\n2\tAAAA\t\t\"\n3\tAAAA\t\t5\"\n": {0, 2, ""}, // the first has two lines
	} {
		c, rows := tsvRows(t, head+text+good, DefaultColumns)
		var out strings.Builder
		bad, goods := 0, 0
		for _, row := range rows {
			if row.Fault == nil {
				goods++
			} else if bad++; row.Fault.Reason != want.reason {
				t.Errorf("%.40q: line %d: %v, want %s", text, row.Line, row.Fault, want.reason)
			}
			out.WriteString(strings.ReplaceAll(string(c.AppendRow(nil, row, &Outcome{Status: Kept})), "\t\tkept\n", "\n"))
		}
		if bad != want.bad || goods != want.goods+2 {
			t.Errorf("%.40q: %d good, %d bad; want %d and %d", text, goods, bad, want.goods+2, want.bad)
		}
		if out.String() != text+good {
			t.Errorf("%.40q comes out as %.80q", text, out.String())
		}
	}
}
