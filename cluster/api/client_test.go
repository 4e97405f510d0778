package api

import (
	"slices"
	"testing"

	"meridian/cluster/api/client"
)

// TestClientKnowsWrites: the client repeats what changes nothing, and only that.
func TestClientKnowsWrites(t *testing.T) {
	for _, a := range slices.Concat(Actions(), MeridianActions()) {
		if got, want := client.IsWrite(a.Name), a.Kind == KindWrite; got != want {
			t.Errorf("%s: the client takes it for a write: %v, want %v", a.Name, got, want)
		}
	}
	if !client.IsWrite("DescribeWhatIsNotKnown") {
		t.Error("an unknown action is taken for one that may be repeated")
	}
}
