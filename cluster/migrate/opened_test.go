package migrate

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A verification notes in the journal that it opens data keys: between two starts of a run, which go on as if it had not, and
// after its end; behind a line that is torn, and not while the run is at work.
func TestNoteOpened(t *testing.T) {
	input := testInput(100)
	want, _ := undisturbed(t, input)
	folder, killed := t.TempDir(), errors.New("killed")
	cfg := testConfig(t, folder, input, &mirror{batch: 7, before: func(call int64) error {
		if call == 6 {
			return killed
		}
		return nil
	}})
	if _, err := Run(t.Context(), cfg); !errors.Is(err, killed) {
		t.Fatal(err)
	}
	journal, err := os.OpenFile(cfg.Journal, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := journal.WriteString(`0000 {"checkp`); err != nil {
		t.Fatal(err)
	}
	if err := journal.Close(); err != nil {
		t.Fatal(err)
	}
	note := func(times int64) (h History) {
		t.Helper()
		before := now()
		if err := NoteOpened(cfg.Journal); err != nil {
			t.Fatal(err)
		}
		_, h, err := ReadJournal(cfg.Journal)
		if err != nil || h.Opened.Times != times || h.Opened.Last.Before(before) {
			t.Fatalf("%+v, %v; want %d", h.Opened, err, times)
		}
		return h
	}
	if h := note(1); h.Last().Done || h.Last().Rows == 0 {
		t.Errorf("the last checkpoint is %+v", h.Last())
	}
	cfg = testConfig(t, folder, input, &mirror{batch: 7})
	if last, err := Run(t.Context(), cfg); err != nil || !last.Done || last.Rows != 100 {
		t.Fatalf("%+v, %v", last, err)
	}
	if got, err := os.ReadFile(filepath.Join(folder, "out")); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the output is another one, %v", err)
	}
	h := note(2)
	header, _, err := ReadJournal(cfg.Journal)
	if err != nil {
		t.Fatal(err)
	}
	report, err := NewReport(t.Context(), cfg.Journal, header, h, 10)
	if err != nil || !report.Plaintext || report.Opened != h.Opened || !report.Done {
		t.Errorf("%+v, %v", report, err)
	}
	var page strings.Builder
	if err := report.Markdown(&page); err != nil || !strings.Contains(page.String(), "| plaintext outside | no: in this run data keys left a region only encrypted for the other one; yes in verify --open, which had them in clear in its memory: begun 2 times, last at 20") {
		t.Errorf("%v\n%s", err, page.String())
	}
	if last, err := Run(t.Context(), testConfig(t, folder, input, &mirror{batch: 7})); err != nil || !last.Done {
		t.Errorf("a run that is done: %+v, %v", last, err)
	}
	at, _, err := OpenJournal(cfg.Journal, header)
	if err != nil {
		t.Fatal(err)
	}
	if err := NoteOpened(cfg.Journal); !errors.Is(err, ErrInUse) {
		t.Errorf("while the run is at work: %v", err)
	}
	if err := at.Close(); err != nil {
		t.Fatal(err)
	}
	if err := NoteOpened(filepath.Join(folder, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a journal: %v", err)
	}
}
