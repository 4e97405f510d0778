package migrate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// The rows of both files are found by their numbers.
func TestPairNumbered(t *testing.T) {
	row := func(id int, rest string) string {
		return fmt.Sprintf(`{"id":%d,"ciphertext":"AAAA"%s}`, id, rest) + "\n"
	}
	input := row(1, "") + "broken\n" + row(3, "") + row(4, `,"input_row":9`)
	one, three, four := row(1, `,"input_row":1`), row(3, `,"input_row":3`), row(4, `,"input_row":4`)
	for name, c := range map[string]struct{ output, fault string }{
		"in order":      {one + "broken\n" + three + four, ""},
		"another order": {four + one + "broken\n" + three, ""},
		"one less":      {four + one + "broken\n", "row 3 is not in the output"},
		"one twice":     {four + one + four + "broken\n" + three, "row 4 is in the output twice"},
		"twice, late":   {one + "broken\n" + three + four + one, "the output has a row 1 that the input has not, or has it twice"},
		"one more":      {one + "broken\n" + three + four + row(5, `,"input_row":5`), "the output has a row 5"},
		"another id":    {one + "broken\n" + row(4, `,"input_row":3`) + four, "row 3 is another one in the output"},
		"no number":     {row(1, "") + "broken\n" + three + four, "row 1 is not in the output"},
		"broken less":   {one + three + four, "1 rows that cannot be read are in one of them only"},
		"broken other":  {one + "braken\n" + three + four, "2 rows that cannot be read are in one of them only"},
		"broken more":   {"broken\n" + one + "broken\n" + three + four, "1 rows that cannot be read are in one of them only"},
	} {
		pairs := PairNumbered(NewJSONLines(strings.NewReader(input), numbered), NewJSONLines(strings.NewReader(c.output), numbered))
		rows := 0
		for {
			before, after, err := pairs.Next(t.Context())
			if err == io.EOF {
				err = nil
				if c.fault == "" && rows != 4 {
					err = fmt.Errorf("%d rows", rows)
				}
			} else if err == nil {
				if rows++; before.ID != after.ID {
					t.Errorf("%s: %s beside %s", name, before.ID, after.ID)
				}
				continue
			}
			if c.fault == "" && err != nil || c.fault != "" && (!errors.Is(err, ErrRows) || !strings.Contains(err.Error(), c.fault)) {
				t.Errorf("%s: %v", name, err)
			}
			break
		}
	}
}

// What is held is bounded.
func TestPairNumberedHoldsSoManyRows(t *testing.T) {
	var input, output strings.Builder
	for i := 1; i <= maxHeld+2; i++ {
		fmt.Fprintf(&input, `{"ciphertext":"AAAA"}`+"\n")
	}
	for i := 2; i <= maxHeld+3; i++ {
		fmt.Fprintf(&output, `{"ciphertext":"AAAA","input_row":%d}`+"\n", i+maxHeld+2)
	}
	pairs := PairNumbered(NewJSONLines(strings.NewReader(input.String()), numbered), NewJSONLines(strings.NewReader(output.String()), numbered))
	if _, _, err := pairs.Next(t.Context()); !errors.Is(err, ErrRows) || !strings.Contains(err.Error(), "from row 1 on") {
		t.Error(err)
	}
}

// A row with too many values, which the longer header of the output makes a good one of, is still the one that it was.
func TestPairsOfRowsThatTheOutputCompletes(t *testing.T) {
	const input = "id,ciphertext\nx,y,AAAA,moved\n2,AAAA\nx,y,AAAA,moved,3\n"
	for _, c := range []struct {
		columns Columns
		output  string
		ok      bool
	}{
		{DefaultColumns, "id,ciphertext,from,status\nx,y,AAAA,moved\n2,BBBB,a/k/v,moved\nx,y,AAAA,moved,3\n", true},
		{DefaultColumns, "id,ciphertext,from,status\nx,y,BBBB,moved\n2,BBBB,a/k/v,moved\nx,y,AAAA,moved,3\n", false},
		{numbered, "id,ciphertext,from,status,input_row\nx,y,AAAA,moved\n2,BBBB,a/k/v,moved,2\nx,y,AAAA,moved,3\n", true},
		{numbered, "id,ciphertext,from,status,input_row\nx,y,AAAA,moved\n2,BBBB,a/k/v,moved,2\nx,y,AAAA,moved,4\n", false},
	} {
		before, err := NewCSV(strings.NewReader(input), ',', c.columns)
		after, err2 := NewCSV(strings.NewReader(c.output), ',', c.columns)
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		pairs, rows := PairFormats(before, after), 0
		if c.columns.Numbered {
			pairs = PairNumbered(before, after)
		}
		for err == nil {
			if before, after, err := pairs.Next(t.Context()); err == nil {
				if rows++; (before == after) != (rows != 2) {
					t.Errorf("row %d: %+v beside %+v", rows, before, after)
				}
				continue
			} else if (err == io.EOF) != c.ok || c.ok && rows != 3 {
				t.Errorf("%q: %d rows, %v", c.output, rows, err)
			}
			break
		}
	}
}

// CSV gets a column for the number.
func TestNumberedCSV(t *testing.T) {
	for input, want := range map[string]string{
		"id,ciphertext\n7,AAAA\nx\n8,AAAA\n":                "id,ciphertext,from,status,input_row\n7,BBBB,a/k/v,moved,1\nx\n8,BBBB,a/k/v,moved,3\n",
		"input_row,ciphertext,status\r\n\"5\",AAAA,old\r\n": "input_row,ciphertext,status,from\r\n\"1\",BBBB,moved,a/k/v\r\n",
	} {
		c, err := NewCSV(strings.NewReader(input), ',', numbered)
		if err != nil {
			t.Fatal(err)
		}
		got := c.Header()
		for {
			row, err := c.Next()
			if err == io.EOF {
				break
			}
			got = c.AppendRow(got, row, &Outcome{Status: Moved, Blob: []byte{4, 16, 65}, From: "a/k/v"})
		}
		if string(got) != want {
			t.Errorf("%q gave %q; want %q", input, got, want)
		}
		back, err := NewCSV(bytes.NewReader(got), ',', numbered)
		if err != nil {
			t.Fatal(err)
		}
		if row, err := back.Next(); err != nil || row.InputRow != 1 {
			t.Errorf("read again: %+v, %v", row, err)
		}
	}
}
