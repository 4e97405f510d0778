package migrate

import (
	"testing"
	"time"
)

func TestEstimate(t *testing.T) {
	for name, tt := range map[string]struct {
		got   Estimate
		calls int64
		took  time.Duration
	}{
		"nothing":                      {estimate(0, 500, time.Second, time.Second, 3, time.Second), 0, 0},
		"the way of the calls counts":  {estimate(1000, 1, 16*time.Millisecond, 0, 1, 0), 2000, time.Second},
		"the work counts, on all":      {estimate(1000, 1, 0, 3*time.Millisecond, 3, 0), 2000, time.Second},
		"a batch that is not full":     {estimate(501, 500, 0, 0, 1, 0), 4, 0},
		"the mover is what holds back": {estimate(100_000, 500, time.Millisecond, 0, 1, 10*time.Microsecond), 400, time.Second},
	} {
		if tt.got.Calls != tt.calls || tt.got.Took != tt.took {
			t.Errorf("%s: %+v; want %d calls, %s", name, tt.got, tt.calls, tt.took)
		}
	}
}
