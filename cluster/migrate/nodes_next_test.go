package migrate

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"meridian/cluster/api/client"
)

// A node that cannot answer is followed by the next one at once, within one attempt: there is no pause between them.
func TestNextNodeAtOnce(t *testing.T) {
	gone := errors.New("connection refused")
	down := &client.Error{Status: http.StatusServiceUnavailable, Code: "ServiceUnavailableTemporary"}
	fails := &client.Error{Status: http.StatusInternalServerError, Code: "InternalFailure"}
	later := &client.Error{Status: http.StatusTooManyRequests, Code: "Rejected.Throttling"}
	for name, c := range map[string]struct {
		answers []error // of the nodes
		asked   int
		err     error // nil: the last one that was asked answered
	}{
		"the first answers":      {[]error{nil, nil, nil}, 1, nil},
		"the first is gone":      {[]error{gone, nil, nil}, 2, nil},
		"the first is down":      {[]error{down, nil, nil}, 2, nil},
		"the first fails":        {[]error{fails, nil, nil}, 2, nil},
		"two are gone":           {[]error{gone, down, nil}, 3, nil},
		"all are gone":           {[]error{gone, gone, gone}, 3, gone},
		"the region says later":  {[]error{later, nil, nil}, 1, later},
		"the second says later":  {[]error{gone, later, nil}, 2, later},
		"an answer that is none": {[]error{gone, fails, down}, 3, fails},
	} {
		t.Run(name, func(t *testing.T) {
			r := testRegion(t, time.Second, "http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3")
			var asked []int
			err := r.ask(t.Context(), func(node *client.Client) (client.Response, error) {
				at := slices.Index(r.clients, node)
				asked = append(asked, at)
				return client.Response{}, c.answers[at]
			})
			if want := []int{0, 1, 2}[:c.asked]; !slices.Equal(asked, want) {
				t.Errorf("asked are %v, want %v", asked, want)
			}
			if c.err == nil && err != nil || c.err != nil && !errors.Is(err, c.err) {
				t.Errorf("%v, want %v", err, c.err)
			}
		})
	}
}
