package migrate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// readAll reads every row of a text.
func readAll(t *testing.T, text string) (j *JSONLines, rows []*Row) {
	t.Helper()
	j = NewJSONLines(strings.NewReader(text), DefaultColumns)
	for {
		row, err := j.Next()
		if err == io.EOF {
			if j.Offset() != int64(len(text)) {
				t.Errorf("%d bytes of %d read", j.Offset(), len(text))
			}
			return j, rows
		}
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
}

// What a row does not mean to us comes out as it went in, byte by byte.
func TestJSONRowsAreCarriedThrough(t *testing.T) {
	j, rows := readAll(t, `{"id":"42","ciphertext":"AAAA","context":{"app":"pay"},"to":"alias/pay","other": [1, {"x": "\u00e9"}] }`+"\r\n\n"+
		` {"status":"old", "n":1.50,"ciphertext" : "AAAA"}`)
	if len(rows) != 2 || rows[0].Line != 1 || rows[1].Line != 3 || rows[1].Number != 2 {
		t.Fatalf("%+v", rows)
	}
	if r := rows[0]; r.ID != "42" || len(r.Blob) != 3 || r.To != "alias/pay" || len(r.Context.Pairs()) != 1 || r.Fault != nil {
		t.Errorf("%+v", r)
	}
	moved := &Outcome{Status: Moved, Blob: []byte{1, 2, 3}, From: "a/k/v"}
	for i, want := range []string{
		`{"id":"42","ciphertext":"AQID","context":{"app":"pay"},"to":"alias/pay","other": [1, {"x": "\u00e9"}] ,"from":"a/k/v","status":"moved"}` + "\r\n",
		` {"status":"moved", "n":1.50,"ciphertext" : "AQID","from":"a/k/v"}` + "\n", // a last line gets an end
	} {
		if got := string(j.AppendRow(nil, rows[i], moved)); got != want {
			t.Errorf("row %d: %s, want %s", i+1, got, want)
		}
	}
	failed := &Outcome{Status: Failed, Fault: fault(FaultRegion, "x")}
	if got := string(j.AppendRow(nil, rows[1], failed)); got != ` {"status":"failed", "n":1.50,"ciphertext" : "AAAA","from":""}`+"\n" {
		t.Errorf("failed: %s", got)
	}
}

// A row that cannot be read has a fault with its number and line, and does not stop the others.
func TestFaultsOfJSONRows(t *testing.T) {
	long := `{"ciphertext":"` + strings.Repeat("A", maxLine) + `"}`
	for text, code := range map[string]string{
		`{"ciphertext":"AAAA"`: FaultSyntax, `[]`: FaultSyntax, `{"id":1,"id":2,"ciphertext":"AAAA"}`: FaultSyntax, `{}`: FaultNoBlob,
		`{"ciphertext":1}`: FaultNoBlob, `{"ciphertext":null}`: FaultNoBlob, `{"ciphertext":"AA=A"}`: FaultNoBlob, `{"ciphertext":"AAA"}`: FaultNoBlob,
		`{"ciphertext":"AA\n=="}`: FaultNoBlob, `{"ciphertext":"AAAA","context":{"a":1}}`: FaultContext, `{"ciphertext":"AAAA","context":"x"}`: FaultContext,
		`{"ciphertext":"AAAA","to":7}`: FaultSyntax, long: FaultSyntax, "\xff": FaultSyntax,
	} {
		j, rows := readAll(t, text+"\n"+`{"ciphertext":"AAAA","context":null}`)
		if len(rows) != 2 || rows[0].Fault == nil || rows[0].Fault.Code != code || rows[1].Fault != nil || rows[1].Line != 2 {
			t.Errorf("%.60s: %+v, want %s", text, rows[0].Fault, code)
			continue
		}
		reason := rows[0].Fault
		if reason.Code == FaultSyntax && !rows[0].carried.(*jsonRow).parsed {
			if got := string(j.AppendRow(nil, rows[0], &Outcome{Status: Failed, Fault: reason})); got != text+"\n" {
				t.Errorf("%.60s comes out as %.60s", text, got)
			}
		}
	}
}

// A byte order mark is no part of the first row, a row whose id is null has none, and a line that nobody can read comes out
// whole however it ends. One that no memory is bounded for ends the input, after the rows before it.
func TestJSONLinesOfOtherPrograms(t *testing.T) {
	long := `{"ciphertext":"` + strings.Repeat("A", 3*maxLine) + `"}`
	j := NewJSONLines(strings.NewReader(byteOrderMark+`{"id":null,"ciphertext":"AAAA"}`+"\r\n"+long+"\r\n"+`{"id":0,"ciphertext":"AAAA"}`+"\n"+strings.Repeat("A", maxCarried+1)), DefaultColumns)
	var out strings.Builder
	for number := int64(1); ; number++ {
		row, err := j.Next()
		if err != nil {
			if !errors.Is(err, errTooLong) || !strings.HasPrefix(err.Error(), "line 4: ") || number != 4 {
				t.Errorf("row %d: %v", number, err)
			}
			break
		}
		if id := map[int64]string{3: "0"}[number]; row.ID != id || (row.Fault != nil) != (number == 2) {
			t.Errorf("row %d: id %q, %v", number, row.ID, row.Fault)
		}
		out.Write(j.AppendRow(nil, row, &Outcome{Status: Kept}))
	}
	if want := `{"id":null,"ciphertext":"AAAA","from":"","status":"kept"}` + "\r\n" + long + "\r\n" + `{"id":0,"ciphertext":"AAAA","from":"","status":"kept"}` + "\n"; out.String() != want {
		t.Errorf("%d bytes come out, want %d", out.Len(), len(want))
	}
}

// Members may have any names, also those that the output adds, and there may be very many.
func TestJSONMembersOfOtherNames(t *testing.T) {
	j := NewJSONLines(strings.NewReader(`{"status":"x","from":"AAAA"}`+"\n"), Columns{ID: "status", Blob: "from"})
	row, err := j.Next()
	if err != nil {
		t.Fatal(err)
	}
	if got := string(j.AppendRow(nil, row, &Outcome{Status: Moved, Blob: []byte{1, 2, 3}, From: "a/k/v"})); row.ID != "x" || got != `{"status":"x","from":"AQID"}`+"\n" {
		t.Errorf("id %q, %s", row.ID, got)
	}
	var many strings.Builder
	for i := range 60_000 {
		fmt.Fprintf(&many, `"%d":0,`, i)
	}
	_, rows := readAll(t, "{"+many.String()+`"ciphertext":"AAAA"}`+"\n{"+many.String()+`"ciphertext":"AAAA","7":1}`)
	if len(rows) != 2 || rows[0].Fault != nil || rows[1].Fault == nil || rows[1].Fault.Reason != twice {
		t.Errorf("%d rows, %v, %v", len(rows), rows[0].Fault, rows[1].Fault)
	}
}

func FuzzJSONLines(f *testing.F) {
	f.Add([]byte(`{"id":"42","ciphertext":"AAAA","context":{"app":"pay"},"to":"alias/pay","other":[1]}` + "\n{}"))
	f.Add([]byte(`{"ciphertext":"AAAA","context_to":{"a":"<\u2028"}}` + "\n" + `{"context":{"a":"b"},"context_to":{},"ciphertext":""}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		j := NewJSONLines(strings.NewReader(string(text)), DefaultColumns)
		for {
			row, err := j.Next()
			if err != nil {
				return
			}
			line := j.AppendRow(nil, row, &Outcome{Status: Moved, Blob: []byte("x"), From: `"/`})
			if !row.carried.(*jsonRow).parsed {
				continue
			}
			var out map[string]any
			if err := json.Unmarshal(line, &out); err != nil || out["status"] != "moved" || out["from"] != `"/` {
				t.Errorf("%q comes out as %q: %v", text, line, err)
			}
			again, err := NewJSONLines(strings.NewReader(string(line)), DefaultColumns).Next()
			if err != nil || row.Fault == nil && !again.Context.Equal(row.sealing()) {
				t.Errorf("%q comes out as %q, in another context: %v", text, line, err)
			}
		}
	})
}
