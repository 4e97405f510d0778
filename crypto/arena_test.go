package crypto

import (
	"bytes"
	"errors"
	"testing"
)

func TestArenaKeepsCopies(t *testing.T) {
	a, err := NewArena(64)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	source := counting(0, 32)
	first, err := a.Copy(source)
	if err != nil {
		t.Fatal(err)
	}
	clear(source)
	second, err := a.Copy(counting(100, 32))
	if err != nil {
		t.Fatal(err)
	}
	_ = append(first, 0xff) // must not reach into the second
	if !bytes.Equal(first, counting(0, 32)) || !bytes.Equal(second, counting(100, 32)) {
		t.Error("the copies changed")
	}
}

func TestArenaFull(t *testing.T) {
	a, err := NewArena(1)
	if err != nil {
		t.Fatal(err)
	}
	room := len(a.memory)
	if _, err := a.Copy(make([]byte, room)); err != nil {
		t.Errorf("a secret of all its %d bytes: %v", room, err)
	}
	if _, err := a.Copy([]byte{1}); !errors.Is(err, errArenaFull) {
		t.Errorf("one byte more: %v", err)
	}
	a.Close()
	a.Close()
	if _, err := a.Copy([]byte{1}); !errors.Is(err, errArenaFull) {
		t.Errorf("after Close: %v", err)
	}
	if a.Locked() {
		t.Error("a closed arena claims to be locked")
	}
	for _, size := range []int{0, -1} {
		if _, err := NewArena(size); err == nil {
			t.Errorf("an arena of %d bytes was made", size)
		}
	}
}
