package crypto

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
	"unsafe"
)

// TestArenaProtections reads from the kernel what it noted for the arena's pages.
func TestArenaProtections(t *testing.T) {
	a, err := NewArena(1)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	smaps, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Skip("the kernel does not tell: ", err)
	}
	defer smaps.Close()

	start := uintptr(unsafe.Pointer(&a.memory[0]))
	inside := false
	lines := bufio.NewScanner(smaps)
	for lines.Scan() {
		var from, to uintptr
		if n, _ := fmt.Sscanf(lines.Text(), "%x-%x ", &from, &to); n == 2 {
			inside = from <= start && start < to
		}
		flags, ok := strings.CutPrefix(lines.Text(), "VmFlags:")
		if !inside || !ok {
			continue
		}
		// dd: left out of core dumps. wf: wiped on fork. lo: locked.
		for flag, want := range map[string]bool{"dd": true, "wf": true, "lo": a.Locked()} {
			if got := strings.Contains(flags+" ", " "+flag+" "); got != want {
				t.Errorf("flag %s is %v, want %v; the kernel has%s", flag, got, want, flags)
			}
		}
		return
	}
	t.Skip("the kernel does not list the mapping's flags")
}
