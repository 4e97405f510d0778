package v3

import (
	"testing"

	kms "github.com/alibabacloud-go/kms-20160120/v3/client"
)

// TestActions has every node of a region do every action of the contract, in both signatures. Each call goes to the node
// after the one before, and the runs start at different nodes, so that what one node did is looked at on the others, and
// each call of a test reaches each node.
func TestActions(t *testing.T) {
	west, east := twoRegions(t)
	recorder := newRecorder(t, west, east)
	subjects := []struct {
		name string
		test func(west, east *caller)
	}{
		{"keys", keys}, {"aliases", aliases}, {"data", data}, {"asymmetric keys", asymmetricKeys}, {"versions", versions},
		{"rotation", rotation}, {"deletion protection", protection}, {"tags of one key", tagsOfOne}, {"tags of several keys", tagsOfSeveral},
		{"policies", policies}, {"import", imports}, {"export", export}, {"dry run", dryRun}, {"account", account}, {"ways", ways},
	}
	variants := []variant{{"http", ""}, {"https", "v2"}, {"https", ""}, {"http", "v2"}}
	ran := 0
	for start, v := range variants {
		t.Run(v.name(), func(t *testing.T) {
			for _, subject := range subjects {
				t.Run(subject.name, func(t *testing.T) {
					ran++
					subject.test(newCaller(t, v, west, start, recorder), newCaller(t, v, east, start, recorder))
				})
			}
		})
	}
	t.Run("every action on every node", func(t *testing.T) {
		if ran < len(variants)*len(subjects) {
			t.Skip("only a part of the tests was asked for")
		}
		recorder.wantEveryAction(t, west)
	})
}

// caller asks the nodes of a region in turn, in one variant.
type caller struct {
	*testing.T
	variant
	region  region
	clients []*kms.Client // for each node
	next    int           // the node of the next call
}

func newCaller(t *testing.T, v variant, r region, start int, transport *recorder) *caller {
	t.Helper()
	c := &caller{T: t, variant: v, region: r, next: start % len(r.Endpoints)}
	for node := range r.Endpoints {
		client := v.newClient(t, r, node, r.AccessKeyID, r.AccessKeySecret)
		client.HttpClient = transport
		c.clients = append(c.clients, client)
	}
	return c
}
