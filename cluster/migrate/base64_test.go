package migrate

import (
	"fmt"
	"testing"
)

// A blob has one text and no other is taken for it: not one with bits behind its end, nor with line ends between its
// letters, nor one that is cut.
func TestBlobHasOneText(t *testing.T) {
	for _, c := range []struct{ text, blob string }{
		{"AAAA", "\x00\x00\x00"}, {"AAA=", "\x00\x00"}, {"AA==", "\x00"}, {"AAE=", "\x00\x01"}, {"AQ==", "\x01"}, {"+/+/", "\xfb\xff\xbf"},
	} {
		var row Row
		if row.setBlob(c.text); row.Fault != nil || string(row.Blob) != c.blob {
			t.Errorf("%q is %q, %v; want %q", c.text, row.Blob, row.Fault, c.blob)
		}
	}
	for _, text := range []string{
		"AAB=", "AB==", "AP==", // bits behind the end
		"AAAA\n", "AAAA\r\n\r\n", "AAAA\n\n\n\n", "AA\r\n\r\nAA", "AAA=\n\n\n\n", "\n\n\n\nAAAA", "\n\n\n\n", // line ends
		"A", "AA", "AAA", "AAA==", "AA=", "AA=A", "AA==AAAA", "====", "-_-_", "AAA ", "AAAA    ",
	} {
		var row Row
		if row.setBlob(text); row.Fault == nil || row.Fault.Code != FaultNoBlob || row.Blob != nil {
			t.Errorf("%q is taken for %q, %v", text, row.Blob, row.Fault)
		}
		// So it is in each form of an input.
		_, rows := readAll(t, fmt.Sprintf(`{"ciphertext":%q}`, text))
		_, records := csvRows(t, "ciphertext\n\""+text+"\"\n")
		for form, of := range map[string][]*Row{"JSON": rows, "CSV": records} {
			if len(of) != 1 || of[0].Fault == nil || of[0].Fault.Code != FaultNoBlob {
				t.Errorf("%s takes %q: %+v", form, text, of[0])
			}
		}
	}
}
