package crypto

import (
	"errors"
	"fmt"
	"sync"
)

// errArenaFull says that an arena was made too small.
var errArenaFull = errors.New("crypto: no room left in the arena")

// Arena is a small piece of memory for raw keys. On Linux it lies outside the Go heap, locked into memory, left out of
// core dumps and wiped in forked children, each as far as the kernel and its limits allow; elsewhere it is plain memory
// that is wiped. It is safe for concurrent use.
type Arena struct {
	mu     sync.Mutex
	memory []byte // nil once closed
	used   int
	locked bool
}

// NewArena returns an arena with room for size bytes, at least 1.
func NewArena(size int) (*Arena, error) {
	if size < 1 {
		return nil, fmt.Errorf("crypto: an arena of %d bytes", size)
	}
	memory, locked, err := mapMemory(size)
	if err != nil {
		return nil, fmt.Errorf("crypto: reserve %d bytes for keys: %w", size, err)
	}
	return &Arena{memory: memory, locked: locked}, nil
}

// Format implements [fmt.Formatter]; it shows nothing of the memory.
func (a *Arena) Format(f fmt.State, _ rune) { redact(f) }

// Copy puts a copy of secret into the arena. It must not be used after Close, when its memory is gone.
func (a *Arena) Copy(secret []byte) (Secret, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(secret) > len(a.memory)-a.used {
		return nil, errArenaFull
	}
	end := a.used + len(secret)
	kept := a.memory[a.used:end:end]
	copy(kept, secret)
	a.used = end
	return kept, nil
}

// Locked says whether the kernel promised to keep the memory out of swap.
func (a *Arena) Locked() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.locked
}

// Close wipes the memory and gives it back. A second call does nothing.
func (a *Arena) Close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.memory == nil {
		return
	}
	clear(a.memory)
	unmapMemory(a.memory)
	a.memory, a.used, a.locked = nil, 0, false
}
