package migrate

import (
	"strings"
	"testing"
)

// A census counts each version of each key in each region, over several files, and what is no blob apart.
func TestCensus(t *testing.T) {
	a, b := newCloud(t, "cn-a", 1), newCloud(t, "cn-b", 1)
	var c Census
	for _, text := range []string{
		a.row(t, "1", "") + "\n" + b.row(t, "2", "") + "\n" + a.row(t, "3", `{"a":"b"}`) + "\nbroken\n", a.row(t, "4", "") + "\n" + `{"ciphertext":"AAAA"}`,
	} {
		if err := c.Add(NewJSONLines(strings.NewReader(text), DefaultColumns)); err != nil {
			t.Fatal(err)
		}
	}
	if c.Rows != 6 || c.NotBlobs != 2 || len(c.Counts) != 2 || c.Counts[0] != (Count{"cn-a", a.key.String(), a.version.String(), 3}) || c.Counts[1].Blobs != 1 {
		t.Errorf("%+v", c)
	}
}
