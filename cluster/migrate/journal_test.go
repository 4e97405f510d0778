package migrate

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var testHeader = Header{Way: "native", From: "a", To: "b", Input: "in", Output: "out", Options: map[string]string{"map": "* => *"}}

// writeJournal writes a journal of three checkpoints and returns its path, what it tells, and where each of its lines ends.
func writeJournal(t *testing.T) (path string, history History, ends []int64) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "journal")
	j, err := CreateJournal(path, testHeader)
	if err != nil {
		t.Fatal(err)
	}
	history.Begun = true
	ends = append(ends, j.size)
	for i := int64(1); i <= 3; i++ {
		c := Checkpoint{Rows: 10 * i, Mark: Mark{Input: 100 * i, Digest: "00"}, Output: 120 * i, Counts: Counts{Moved: 9 * i, Failed: i}, Done: i == 3}
		failure := Failure{Row: 10*i - 1, Line: 10 * i, ID: "x", Code: FaultSyntax, Reason: "it is\nnot valid JSON"}
		if err := j.Checkpoint(c, Since{Failures: []Failure{failure}}); err != nil {
			t.Fatal(err)
		}
		history.Checkpoints = append(history.Checkpoints, c)
		history.Failures = append(history.Failures, failure)
		ends = append(ends, j.size)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return path, history, ends
}

// A journal that ends at any byte is one of an earlier moment, and goes on from there.
func TestJournalIsCutAnywhere(t *testing.T) {
	path, whole, ends := writeJournal(t)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := int64(len(data)); n >= 0; n-- {
		if err := os.WriteFile(path, data[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		j, history, err := OpenJournal(path, testHeader)
		if n < ends[0] {
			if !errors.Is(err, ErrJournalDamaged) {
				t.Errorf("cut at byte %d, in its header: %v", n, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("cut at byte %d: %v", n, err)
		}
		checkpoints := 0
		for _, end := range ends[1:] {
			if n >= end {
				checkpoints++
			}
		}
		if len(history.Checkpoints) != checkpoints || len(history.Failures) != checkpoints {
			t.Fatalf("cut at byte %d: %+v, want %d checkpoints", n, history, checkpoints)
		}
		if checkpoints < 3 {
			if err := j.Checkpoint(Checkpoint{Rows: 30, Mark: Mark{Input: 300}, Output: 360, Done: true}, Since{}); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		_, again, err := ReadJournal(path)
		if err != nil || !again.Last().Done || len(again.Failures) != checkpoints || !reflect.DeepEqual(again.Checkpoints[:checkpoints], whole.Checkpoints[:checkpoints]) {
			t.Fatalf("cut at byte %d and gone on: %+v, %v", n, again, err)
		}
	}
}

// A change anywhere before the last line is damage; in the last line it is one that did not come to the disk whole.
func TestDamagedJournal(t *testing.T) {
	path, _, ends := writeJournal(t)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	last := int64(strings.LastIndexByte(string(data[:len(data)-1]), '\n') + 1)
	for at := range int64(len(data)) {
		bad := append([]byte{}, data...)
		bad[at] ^= 4
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		_, history, err := ReadJournal(path)
		switch {
		case at >= last && (err != nil || len(history.Checkpoints) != 2):
			t.Errorf("byte %d, in the last line: %+v, %v", at, history, err)
		case at == last-1: // the end of the line before: both are one last line then
		case at < last && !errors.Is(err, ErrJournalDamaged):
			t.Errorf("byte %d: %v", at, err)
		}
	}
	if ends[3] != int64(len(data)) {
		t.Errorf("the journal has %d bytes, not %d", len(data), ends[3])
	}
}

// A journal goes on with the run that began it, and says what is different about another.
func TestJournalOfAnotherRun(t *testing.T) {
	path, _, _ := writeJournal(t)
	for change, edit := range map[string]func(*Header){
		"way": func(h *Header) { h.Way = "standard" }, "source region": func(h *Header) { h.From = "c" }, "destination region": func(h *Header) { h.To = "c" },
		"input": func(h *Header) { h.Input = "c" }, "output": func(h *Header) { h.Output = "c" },
		"map":   func(h *Header) { h.Options = map[string]string{"map": "a => b"} },
		"shard": func(h *Header) { h.Options = map[string]string{"map": "* => *", "shard": "1/2"} },
	} {
		header := testHeader
		edit(&header)
		if _, _, err := OpenJournal(path, header); !errors.Is(err, ErrOtherRun) || !strings.Contains(err.Error(), change+" was ") {
			t.Errorf("%s: %v", change, err)
		}
	}
	header := testHeader
	header.Options = nil
	if _, _, err := OpenJournal(path, header); !errors.Is(err, ErrOtherRun) {
		t.Errorf("without its mapping: %v", err)
	}
	if _, err := CreateJournal(path, testHeader); !errors.Is(err, os.ErrExist) {
		t.Errorf("made over one that is there: %v", err)
	}
}

// Two processes cannot go on with one run; somebody may look at it meanwhile.
func TestJournalIsOneProcesss(t *testing.T) {
	path, _, _ := writeJournal(t)
	j, _, err := OpenJournal(path, testHeader)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := OpenJournal(path, testHeader); !errors.Is(err, ErrInUse) {
		t.Errorf("opened twice: %v", err)
	}
	if _, history, err := ReadJournal(path); err != nil || !history.Last().Done {
		t.Errorf("read meanwhile: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	again, _, err := OpenJournal(path, testHeader)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

// Checkpoints never go back, and none follows the end.
func TestJournalRefusesToGoBack(t *testing.T) {
	for _, c := range []Checkpoint{{Rows: 29, Mark: Mark{Input: 300}, Output: 360}, {Rows: 30, Mark: Mark{Input: 299}, Output: 360}, {Rows: 30, Mark: Mark{Input: 300}, Output: 359}, {Rows: 31, Mark: Mark{Input: 310}, Output: 370}} {
		path, _, _ := writeJournal(t)
		j, _, err := OpenJournal(path, testHeader)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(j.Checkpoint(c, Since{}), j.Close()); err != nil {
			t.Fatal(err)
		}
		if _, _, err := ReadJournal(path); !errors.Is(err, ErrJournalDamaged) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func FuzzReadJournal(f *testing.F) {
	f.Add([]byte("c76ebf56 {\"header\":{\"version\":1}}\n"))
	f.Add([]byte("00000000 {}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "journal")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, history, err := ReadJournal(path); err == nil {
			rows := int64(0)
			for _, c := range history.Checkpoints {
				if c.Rows < rows {
					t.Errorf("rows go back: %+v", history)
				}
				rows = c.Rows
			}
		}
	})
}
