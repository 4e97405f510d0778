package migrate

import (
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// csvRows reads every row of a text.
func csvRows(t *testing.T, text string) (c *CSV, rows []*Row) {
	t.Helper()
	return separatedRows(t, text, ',', DefaultColumns)
}

func separatedRows(t *testing.T, text string, separator byte, columns Columns) (c *CSV, rows []*Row) {
	t.Helper()
	c, err := NewCSV(strings.NewReader(text), separator, columns)
	if err != nil {
		t.Fatal(err)
	}
	for {
		row, err := c.Next()
		if err == io.EOF {
			if c.Offset() != int64(len(text)) {
				t.Errorf("%d bytes of %d read", c.Offset(), len(text))
			}
			return c, rows
		}
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
}

// Quoting, line ends and other columns come out as they went in.
func TestCSVIsCarriedThrough(t *testing.T) {
	c, rows := csvRows(t, "\"id\",status,ciphertext,context,to,x\r\n"+
		"1,old,AAAA,\"{\"\"app\"\":\"\"pay\"\"}\",alias/pay,\"a \"\"b\"\",\r\nc\"\r\n\r\n"+
		"\"2\",,\"AAAA\",,,\n"+
		"3,,AAAA,,,end")
	if len(rows) != 3 || rows[0].Line != 2 || rows[1].Line != 5 || rows[2].Line != 6 || rows[2].Number != 3 {
		t.Fatalf("%+v", rows)
	}
	if r := rows[0]; r.Fault != nil || r.ID != "1" || len(r.Blob) != 3 || r.To != "alias/pay" || len(r.Context.Pairs()) != 1 {
		t.Errorf("%+v", r)
	}
	if h := string(c.Header()); h != "id,status,ciphertext,context,to,x,from\r\n" {
		t.Errorf("header %q", h)
	}
	moved := &Outcome{Status: Moved, Blob: []byte{1, 2, 3}, From: "a/k,v"}
	for i, want := range []string{
		"1,moved,AQID,\"{\"\"app\"\":\"\"pay\"\"}\",alias/pay,\"a \"\"b\"\",\r\nc\",\"a/k,v\"\r\n",
		"\"2\",moved,\"AQID\",,,,\"a/k,v\"\n",
		"3,moved,AQID,,,end,\"a/k,v\"\r\n",
	} {
		if got := string(c.AppendRow(nil, rows[i], moved)); got != want {
			t.Errorf("row %d: %q, want %q", i+1, got, want)
		}
	}
}

func TestFaultsOfCSVRows(t *testing.T) {
	const good = "9,AAAA\n"
	for text, code := range map[string]string{
		"1\n": FaultSyntax, "1,AAAA,x\n": FaultSyntax, "1,A\"A\"AA\n": FaultSyntax, "\"1\"x,AAAA\n": FaultSyntax, "1,\n": FaultNoBlob, "1,AAA\n": FaultNoBlob,
		"1," + strings.Repeat("A", maxLine) + "\n": FaultSyntax,
	} {
		c, rows := csvRows(t, "id,ciphertext\n"+text+good)
		if len(rows) != 2 || rows[0].Fault == nil || rows[0].Fault.Code != code || rows[1].Fault != nil || rows[1].ID != "9" {
			t.Errorf("%.40q: %+v, want %s", text, rows, code)
			continue
		}
		if got := string(c.AppendRow(nil, rows[0], &Outcome{Status: Failed, Fault: rows[0].Fault})); code == FaultSyntax && got != text {
			t.Errorf("%.40q comes out as %q", text, got)
		}
	}
	for _, bad := range []string{"", "id\n", "id,ciphertext,id\n", "id,\"ciphertext\n", "id,c\"iphertext\n"} {
		if _, err := NewCSV(strings.NewReader(bad), ',', DefaultColumns); !errors.Is(err, ErrHeader) {
			t.Errorf("header %q: %v", bad, err)
		}
	}
}

// A value of very many lines is read in a time that grows with its size alone, and carried through.
func TestCSVOfManyLines(t *testing.T) {
	value := "\"" + strings.Repeat("\n", maxLine-100) + "\""
	c, rows := csvRows(t, "id,ciphertext,x\n1,AAAA,"+value+"\n2,AAAA,\n")
	if len(rows) != 2 || rows[0].Fault != nil || rows[1].Line != maxLine-100+3 {
		t.Fatalf("%d rows", len(rows))
	}
	if got := string(c.AppendRow(nil, rows[0], &Outcome{Status: Failed, Fault: fault(FaultRegion, "x")})); got != "1,AAAA,"+value+",,failed\n" {
		t.Errorf("%d bytes", len(got))
	}
}

// A quote too many costs the row in which it stands and no other, wherever it stands, and comes out as it went in.
func TestCSVQuotesTooMany(t *testing.T) {
	const head, good = "id,ciphertext,note\n", "8,AAAA,\"a \"\"b\"\", c\n\nd\"\n9,AAAA,\n"
	long := strings.Repeat("7,AAAA,x\n", maxLine/8)
	for text, want := range map[string]struct {
		bad, goods int
		reason     string
	}{
		"1,AAAA,5\" disk\n":                   {1, 0, strayQuote},
		"1,AAAA,\"disk\n":                     {1, 0, openQuote},
		"1,AAAA,\"disk\n2,AAAA,\"\"\n":        {1, 1, openQuote},
		"1,AAAA,\"disk\" x\n":                 {1, 0, strayQuote},
		"1,\"\n2,AAAA,x\n3,AAAA,\"\n":         {2, 1, openQuote}, // what is between the quotes is no value with lines, for there are too few
		"\"1,AAAA,x\n" + long:                 {1, maxLine / 8, openQuote},
		"1,AAAA,\"x\n" + long + "2,AAAA,\"\n": {2, maxLine / 8, openQuote},
	} {
		c, rows := csvRows(t, head+text+good)
		var out strings.Builder
		line, bad, goods := int64(2), 0, 0
		for _, row := range rows {
			if row.Line != line {
				t.Fatalf("%.40q: a row is in line %d, want %d", text, row.Line, line)
			}
			line += row.carried.(*record).lines
			if row.Fault == nil {
				goods++
			} else if bad++; row.Fault.Reason != want.reason {
				t.Errorf("%.40q: line %d: %v", text, row.Line, row.Fault)
			}
			out.WriteString(strings.ReplaceAll(string(c.AppendRow(nil, row, &Outcome{Status: Kept})), ",,kept\n", "\n"))
		}
		if bad != want.bad || goods != want.goods+2 {
			t.Errorf("%.40q: %d good, %d bad; want %d and %d", text, goods, bad, want.goods+2, want.bad)
		}
		if out.String() != text+good {
			t.Errorf("%.40q comes out as %.80q", text, out.String())
		}
	}
	if _, err := NewCSV(strings.NewReader("id,\"ciphertext\n1,AAAA\n"), ',', DefaultColumns); !errors.Is(err, ErrHeader) {
		t.Error(err)
	}
	c, err := NewCSV(strings.NewReader(head+"1,AAAA,\n"+strings.Repeat("A", maxCarried+1)), ',', DefaultColumns)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Next(); err != nil {
		t.Error(err)
	}
	if _, err := c.Next(); !errors.Is(err, errTooLong) || !strings.HasPrefix(err.Error(), "line 3: ") {
		t.Error(err)
	}
}

// A byte order mark is no part of the first name.
func TestCSVWithByteOrderMark(t *testing.T) {
	for _, head := range []string{"ciphertext,id", "\"id\",ciphertext"} {
		c, rows := csvRows(t, byteOrderMark+head+"\nAAAA,AAAA\n")
		if len(rows) != 1 || rows[0].ID != "AAAA" || len(rows[0].Blob) != 3 || string(c.Header()) != strings.ReplaceAll(head, "\"", "")+",from,status\n" {
			t.Errorf("%s: %+v", head, rows)
		}
	}
}

// Columns may have any names, also those that the output adds.
func TestCSVColumnsOfOtherNames(t *testing.T) {
	c, err := NewCSV(strings.NewReader("from,status\nAAAA,x\n"), ',', Columns{ID: "status", Blob: "from"})
	if err != nil {
		t.Fatal(err)
	}
	row, err := c.Next()
	if err != nil {
		t.Fatal(err)
	}
	if got := string(c.AppendRow(nil, row, &Outcome{Status: Moved, Blob: []byte{1, 2, 3}, From: "a/k/v"})); row.ID != "x" || got != "AQID,x\n" {
		t.Errorf("id %q, %q", row.ID, got)
	}
}

func FuzzCSV(f *testing.F) {
	f.Add("ciphertext,id\nAAAA,\"a \"\"b\"\"\"\r\n\n\"x\n\",2\n")
	f.Add("ciphertext,context_to\nAAAA,\"{\"\"a\"\":\"\"b,\"\"}\"\n")
	f.Add("ciphertext\tcontext\tcontext_to\nAAAA\t{\"a\":\"b\"}\t{\"a\":\"\\t\\\"\"}\nAAAA\t\"{\"\"a\"\":\"\"b\"\"}\"\t{}\n")
	f.Add("ciphertext\ti\"d\tfrom\nAAAA\t\"x\nAAAA\t{\"a\":\"b\"}\t\nAAAA\t5\"\t\"x\"y\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, separator := range []byte{',', tab} {
			comesOutAsItWas(t, text, separator)
		}
	})
}

// comesOutAsItWas holds what comes out of a text against the standard library, which reads it as the same values but for
// those that are new, and against what reads it here.
func comesOutAsItWas(t *testing.T, text string, separator byte) {
	c, err := NewCSV(strings.NewReader(text), separator, DefaultColumns)
	if err != nil {
		return
	}
	const from = "\"\t,\n"
	for {
		row, err := c.Next()
		if err != nil {
			return
		}
		rec := row.carried.(*record)
		if len(rec.fields) != len(c.header) {
			continue
		}
		out := string(c.Header()) + string(c.AppendRow(nil, row, &Outcome{Status: Moved, Blob: []byte("x"), From: from}))
		library := csv.NewReader(strings.NewReader(out))
		library.Comma, library.LazyQuotes = rune(separator), separator == tab
		again, err := library.ReadAll()
		if err != nil || len(again) != 2 || again[1][slices.Index(again[0], "ciphertext")] != "eA==" || again[1][slices.Index(again[0], "from")] != from {
			t.Errorf("%q comes out as %q: %v", text, out, err)
		}
		moved, err := NewCSV(strings.NewReader(out), separator, DefaultColumns)
		if err != nil {
			t.Fatal(err)
		}
		if after, err := moved.Next(); err != nil || row.Fault == nil && !after.Context.Equal(row.sealing()) {
			t.Errorf("%q comes out as %q, in another context: %v", text, out, err)
		}
	}
}
