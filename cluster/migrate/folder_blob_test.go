package migrate

import (
	"bytes"
	"strings"
	"testing"
)

// Each form of a file holds another blob as it held the one before.
func TestBlobForms(t *testing.T) {
	blob := strings.Repeat("data key ", 20)
	text := encoded(blob)
	wrap := func(width int, end string) string {
		var b strings.Builder
		for at := 0; at < len(text); at += width {
			b.WriteString(text[at:min(at+width, len(text))] + end)
		}
		return b.String()
	}
	for _, content := range []string{text, text + "\n", " " + text + "\r\n\n", wrap(64, "\n"), wrap(76, "\r\n"), strings.TrimSpace(wrap(60, "\n")), wrap(len(text)/2, "\n"), "\x00" + blob} {
		got, form, refused := readForm([]byte(content))
		if refused != nil || string(got) != strings.TrimSpace(blob)+" " && string(got) != content {
			t.Errorf("%.40q: %q, %v", content, got, refused)
			continue
		}
		if same := form.write(got); string(same) != content {
			t.Errorf("%.40q comes out as %q", content, same)
		}
	}
	for _, bad := range []string{"", " \n", "AAA", "AA=A", "AAAA\nAA\nAAAA", "AA\n\nAA", "AAAA\r\nAAAA\nAAAA", "AA\rAA", "====", "AAB="} {
		if _, _, refused := readForm([]byte(bad)); refused == nil || refused.Code != FaultNoBlob {
			t.Errorf("%q is taken", bad)
		}
	}
}

func FuzzBlobForm(f *testing.F) {
	f.Add([]byte("QUFB\nQUFB\n"), []byte("x"))
	f.Fuzz(func(t *testing.T, content, other []byte) {
		blob, form, refused := readForm(content)
		if refused != nil {
			return
		}
		if same := form.write(blob); !bytes.Equal(same, content) {
			t.Errorf("%q comes out as %q", content, same)
		}
		if len(other) == 0 || form.raw {
			return
		}
		if again, _, refused := readForm(form.write(other)); refused != nil || !bytes.Equal(again, other) {
			t.Errorf("%q in the form of %q: %q, %v", other, content, again, refused)
		}
	})
}
