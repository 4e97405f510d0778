package migrate

import (
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"meridian/cluster/api/client"
)

// Many who ask at once ask the region once; an answer and a refusal are kept, an error is not.
func TestMemory(t *testing.T) {
	down := errors.New("down")
	for name, test := range map[string]struct {
		err    error
		again  int64 // questions when somebody asks later
		refuse bool
	}{
		"answer":  {nil, 1, false},
		"refusal": {&client.Error{Status: 404, Code: "Forbidden.KeyNotFound"}, 1, true},
		"error":   {down, 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var m memory[string]
				var asked atomic.Int64
				ask := func() {
					value, refused, err := m.ask("about", func() (string, error) {
						asked.Add(1)
						time.Sleep(time.Second)
						return "value", test.err
					})
					switch {
					case errors.Is(err, down) != (test.err == down):
						t.Errorf("error %v", err)
					case (refused != nil) != test.refuse:
						t.Errorf("refused %v", refused)
					case test.err == nil && value != "value":
						t.Errorf("value %q", value)
					}
				}
				var all sync.WaitGroup
				for range 50 {
					all.Go(ask)
				}
				all.Wait()
				if n := asked.Load(); n != 1 {
					t.Errorf("asked %d times at once", n)
				}
				ask()
				if n := asked.Load(); n != test.again {
					t.Errorf("asked %d times", n)
				}
			})
		})
	}
}

// A memory is bounded.
func TestMemoryForgets(t *testing.T) {
	var m memory[int]
	for i := range maxRemembered + 1 {
		if _, _, err := m.ask(strconv.Itoa(i), func() (int, error) { return i, nil }); err != nil {
			t.Fatal(err)
		}
		if i == maxRemembered-1 && len(m.known) != maxRemembered {
			t.Errorf("%d are kept", len(m.known))
		}
	}
	if len(m.known) != 1 {
		t.Errorf("%d are kept after one too many", len(m.known))
	}
}
