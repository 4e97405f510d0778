package store

import "testing"

// What a memo keeps is served only to views that would read the same.
func TestMemoServesOnlyWhatAViewWouldRead(t *testing.T) {
	m := newMemo[string, int](1)
	if _, ok := m.get("a", 5); ok {
		t.Fatal("an empty memo has a record")
	}
	m.put("a", 5, 1)
	for _, index := range []uint64{3, 5, 7} { // nothing touched the record
		if v, ok := m.get("a", index); !ok || v != 1 {
			t.Errorf("at %d: %d, %v; want 1", index, v, ok)
		}
	}
	m.touch("a", 8)
	for _, index := range []uint64{5, 8, 9} {
		if v, ok := m.get("a", index); ok {
			t.Errorf("at %d after it was touched at 8: %d", index, v)
		}
	}
	m.put("a", 7, 1) // a view from before is late
	if v, ok := m.get("a", 8); ok {
		t.Errorf("at 8: %d, read at 7", v)
	}
	m.put("a", 9, 2)
	if v, ok := m.get("a", 9); !ok || v != 2 {
		t.Errorf("at 9: %d, %v; want 2", v, ok)
	}
	if v, ok := m.get("a", 7); ok {
		t.Errorf("at 7: %d, which was written at 8 or later", v)
	}
	if v, ok := m.get("b", 9); ok {
		t.Errorf("another key of the slot: %d", v)
	}
}
