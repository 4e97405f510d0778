package migrate

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A journal is its process's from the moment that it is there, and free when that has ended.
func TestNewJournalIsLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j, err := CreateJournal(path, testHeader)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := OpenJournal(path, testHeader); !errors.Is(err, ErrInUse) {
		t.Errorf("while it is written: %v", err)
	}
	if _, err := CreateJournal(path, testHeader); !errors.Is(err, os.ErrExist) {
		t.Errorf("created once more: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if j, _, err = OpenJournal(path, testHeader); err != nil {
		t.Fatalf("when it is closed: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}
