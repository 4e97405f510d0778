package boottime

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Both ways read the clock that goes on while the machine sleeps: in a namespace
// where that one alone is ahead, they are ahead.
func TestNowIsTheBootClock(t *testing.T) {
	const ahead, tell = 3_000_000 * time.Second, "MERIDIAN_TELL_BOOTTIME"
	if os.Getenv(tell) != "" {
		var s unix.Timespec
		system(&s)
		fmt.Printf("now %d %d\n", Now(), s.Nano())
		return
	}
	c := exec.Command("unshare", "--time", "--boottime", strconv.Itoa(int(ahead/time.Second)), "--fork",
		os.Args[0], "-test.run", "^TestNowIsTheBootClock$")
	c.Env = append(os.Environ(), tell+"=1")
	before := Now()
	out, err := c.CombinedOutput()
	if err != nil {
		t.Skipf("no time namespace here: %v: %s", err, out)
	}
	_, told, found := strings.Cut(string(out), "now ")
	var mapped, asked time.Duration
	if _, err := fmt.Sscan(told, &mapped, &asked); err != nil || !found {
		t.Fatalf("%v: %s", err, out)
	}
	for _, at := range []time.Duration{mapped, asked} {
		if gain := at - before; gain < ahead || gain > ahead+time.Hour {
			t.Errorf("the clock gained %v, want %v", gain, ahead)
		}
	}
}
