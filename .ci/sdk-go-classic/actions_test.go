package classic

import (
	"testing"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/kms"
)

// TestActions has every node of a region do every action of the contract. Each call goes to the node after the one before,
// and the runs start at different nodes, so that what one node did is looked at on the others, and each call of a test
// reaches each node.
func TestActions(t *testing.T) {
	west, east := twoRegions(t)
	recorder := newRecorder(t, west, east)
	subjects := []struct {
		name string
		test func(west, east *caller)
	}{
		{"keys", keys}, {"states", states}, {"aliases", aliases}, {"data", data},
		{"asymmetric keys", asymmetricKeys}, {"states of pairs", pairStates}, {"versions", versions}, {"limits", limits}, {"rotation", rotation}, {"deletion protection", protection},
		{"tags of one key", tagsOfOne}, {"tags of several keys", tagsOfSeveral}, {"pages of tags", pagesOfTags}, {"policies", policies},
		{"import", imports}, {"one token", oneToken}, {"states of imports", importStates}, {"expiry of imports", expiry}, {"export", export}, {"move", move},
		{"dry run", dryRun}, {"account", account}, {"untyped", untyped},
	}
	variants := []variant{{"http", "JSON", "GET"}, {"https", "XML", "POST"}, {"http", "XML", "GET"}, {"https", "JSON", "POST"}}
	ran := 0
	for start, v := range variants {
		t.Run(v.scheme+" "+v.format+" "+v.method, func(t *testing.T) {
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
	region    region
	client    *kms.Client
	transport *recorder
	next      int // the node of the next call
}

func newCaller(t *testing.T, v variant, r region, start int, transport *recorder) *caller {
	t.Helper()
	client, err := kms.NewClientWithOptions(r.ID, sdk.NewConfig(), credentials.NewAccessKeyCredential(r.AccessKeyID, r.AccessKeySecret))
	if err != nil {
		t.Fatal(err)
	}
	client.SetTransport(transport)
	return &caller{T: t, variant: v, region: r, client: client, transport: transport, next: start % len(r.Endpoints)}
}
