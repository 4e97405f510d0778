package devregion

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestServerEnvironment(t *testing.T) {
	for _, tc := range []struct{ env, want []string }{
		{nil, []string{"GODEBUG=schedtrace=2147483647"}},
		{[]string{"A=b", "GODEBUG="}, []string{"A=b", "GODEBUG=", "GODEBUG=schedtrace=2147483647"}},
		{[]string{"GODEBUG=fips140=on", "A=b"}, []string{"GODEBUG=fips140=on", "A=b", "GODEBUG=fips140=on,schedtrace=2147483647"}},
		{[]string{"GODEBUG=schedtrace=0"}, []string{"GODEBUG=schedtrace=0"}},
	} {
		if got := ServerEnvironment(tc.env); !slices.Equal(got, tc.want) {
			t.Errorf("%q: %q, want %q", tc.env, got, tc.want)
		}
	}
}

// The unit sets what the nodes of dev get.
func TestTheUnitHasTheServerEnvironment(t *testing.T) {
	unit, err := os.ReadFile("../../../deploy/systemd/meridian@.service")
	if err != nil {
		t.Fatal(err)
	}
	if want := "\nEnvironment=" + ServerEnvironment(nil)[0] + "\n"; !strings.Contains(string(unit), want) {
		t.Errorf("deploy/systemd/meridian@.service has no line %q", strings.TrimSpace(want))
	}
}
