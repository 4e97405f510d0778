package migrate

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// What was begun is set aside whole, under the same number, and nothing is written over.
func TestSetAside(t *testing.T) {
	folder := t.TempDir()
	at := func(name string) string { return filepath.Join(folder, name) }
	write := func(name string) {
		t.Helper()
		if err := os.WriteFile(at(name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if names, err := SetAside(at("journal"), at("out")); err != nil || len(names) != 0 {
		t.Errorf("of nothing: %v, %v", names, err)
	}
	write("out.1") // of somebody else
	for _, n := range []string{"2", "3"} {
		for _, name := range []string{"journal", "journal.undo", "out"} {
			write(name)
		}
		names, err := SetAside(at("journal"), at("out"))
		if err != nil || !slices.Equal(names, []string{at("out." + n), at("journal." + n + ".undo"), at("journal." + n)}) {
			t.Fatalf("%v, %v", names, err)
		}
	}
	for name, want := range map[string]string{"out.1": "out.1", "out.2": "out", "journal.2": "journal", "journal.3.undo": "journal.undo"} {
		if got, err := os.ReadFile(at(name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if err := os.Mkdir(at("moved"), 0o700); err != nil {
		t.Fatal(err)
	}
	if names, err := SetAside(at("journal"), at("moved")+"//"); err != nil || !slices.Equal(names, []string{at("moved.1")}) {
		t.Errorf("of a folder that is named with slashes: %v, %v", names, err)
	}
	for _, name := range []string{"journal", "journal.1.undo"} { // killed before the journal had its new name
		write(name)
	}
	if names, err := SetAside(at("journal"), ""); err != nil || !slices.Equal(names, []string{at("journal.1")}) {
		t.Errorf("where the undo file was moved and no more: %v, %v", names, err)
	}
	j, err := CreateJournal(at("journal"), testHeader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := SetAside(at("journal"), at("out")); !errors.Is(err, ErrInUse) {
		t.Errorf("of a run that goes on: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

// A journal that has got another name since it was opened is no run's any more.
func TestJournalIsRenamedMeanwhile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "journal")
	for what, change := range map[string]func() error{
		"renamed":  func() error { return os.Rename(name, name+".1") },
		"replaced": func() error { return errors.Join(os.Rename(name, name+".1"), os.WriteFile(name, nil, 0o600)) },
	} {
		if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if err := lockNamed(file); !errors.Is(err, ErrInUse) {
			t.Errorf("%s: %v", what, err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
