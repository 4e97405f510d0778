package table

import (
	"strings"
	"testing"
)

func TestParseTable(t *testing.T) {
	for _, test := range []struct{ text, schema, name, fault string }{
		{"keys", "", "keys", ""},
		{"app.keys", "app", "keys", ""},
		{`"my.app"."data keys"`, "my.app", "data keys", ""},
		{`"a""b"`, "", `a"b`, ""},
		{`app."x; DROP TABLE y --"`, "app", "x; DROP TABLE y --", ""},
		{"x; DROP TABLE y", "", "x; DROP TABLE y", ""},
		{"", "", "", "empty"},
		{".keys", "", "", "empty"},
		{"app.", "", "", "empty"},
		{`""`, "", "", "empty"},
		{"a.b.c", "", "", "at the most"},
		{`"app`, "", "", "closing quote is missing"},
		{`"app"keys`, "", "", "follows the closing quote"},
		{"a\x00b", "", "", "zero byte"},
	} {
		schema, name, err := parseTable(test.text, postgresQuote)
		switch {
		case test.fault == "" && (err != nil || schema != test.schema || name != test.name):
			t.Errorf("%q: %q, %q, %v", test.text, schema, name, err)
		case test.fault != "" && (err == nil || !strings.Contains(err.Error(), test.fault)):
			t.Errorf("%q: %v, want %q", test.text, err, test.fault)
		}
	}
}

// Whatever a name holds, quoted it is that name and nothing more.
func FuzzQuoteName(f *testing.F) {
	f.Add("keys", "app")
	f.Add(`"`, "`")
	f.Add(`a"."b`, `x" --`)
	f.Fuzz(func(t *testing.T, schema, name string) {
		if checkName(schema) != nil || checkName(name) != nil {
			return
		}
		for _, quote := range []byte{postgresQuote, mySQLQuote} {
			text := quoteName(schema, quote) + "." + quoteName(name, quote)
			s, n, err := parseTable(text, quote)
			if err != nil || s != schema || n != name {
				t.Errorf("%s: %q, %q, %v", text, s, n, err)
			}
		}
	})
}

func TestSpecCheck(t *testing.T) {
	good := Spec{Table: "t", Key: "id", Blob: "b", Context: "c", To: "d", Where: "x > 1"}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for want, spec := range map[string]Spec{
		"table: a name is empty":                    {Key: "id", Blob: "b"},
		"key column: a name is empty":               {Table: "t", Blob: "b"},
		"column of the ciphertext: a name is empty": {Table: "t", Key: "id"},
		`"id" stands for two things`:                {Table: "t", Key: "id", Blob: "id"},
		`"b" stands for two things`:                 {Table: "t", Key: "id", Blob: "b", Context: "b"},
		"the condition is empty":                    {Table: "t", Key: "id", Blob: "b", Where: "  "},
	} {
		if err := spec.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", spec, err, want)
		}
	}
}
