package api

import (
	"fmt"
	"strconv"
	"testing"
)

// What a parameter is if nobody says comes from the table, and is a value that may be sent as well.
func TestDefaults(t *testing.T) {
	for _, a := range Actions() {
		for _, spec := range a.Params {
			if spec.Default == "" {
				continue
			}
			c := &Call{Action: kmsByName[a.Name]}
			for _, sent := range []Params{nil, {{Name: spec.Name}}} {
				c.Params = sent
				if got := c.value(spec.Name); got != spec.Default {
					t.Errorf("%s %s is %q, want %q", a.Name, spec.Name, got, spec.Default)
				}
			}
			if want, err := strconv.ParseInt(spec.Default, 10, 64); err == nil && c.integer(spec.Name) != want {
				t.Errorf("%s %s is %d, want %d", a.Name, spec.Name, c.integer(spec.Name), want)
			}
			if fault := valueFault(&spec, spec.Default); fault != "" {
				t.Errorf("the default of %s %s: %s", a.Name, spec.Name, fault)
			}
			c.Params = Params{{Name: spec.Name, Value: "7"}}
			if c.value(spec.Name) != "7" || c.integer(spec.Name) != 7 {
				t.Errorf("%s %s is not what was sent", a.Name, spec.Name)
			}
		}
	}
	c := &Call{Action: kmsByName["CreateKey"]}
	if got := fmt.Sprint(c.value("Description"), c.value("None"), c.integer("Description")); got != "0" {
		t.Errorf("without a default: %s", got)
	}
}
