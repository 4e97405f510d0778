package v3

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
)

// recorder is the HTTP client of the SDK's clients to the nodes of several regions. It notes what each node answered to
// each action, and keeps connections as the SDK's own HTTP client does: one transport for each node, the first one made.
type recorder struct {
	nodes map[string]node // by host and port
	mu    sync.Mutex
	http  map[string]*http.Transport // by host and port
	seen  map[outcome]bool
}

// node is one node of a region, by its number there from 0.
type node struct {
	region string
	number int
}

// outcome is an answer to an action: its error code, or nothing where it is none.
type outcome struct {
	node
	action string
	code   string
}

func newRecorder(t *testing.T, regions ...region) *recorder {
	t.Helper()
	r := &recorder{nodes: make(map[string]node), http: make(map[string]*http.Transport), seen: make(map[outcome]bool)}
	t.Cleanup(func() {
		for _, transport := range r.http {
			transport.CloseIdleConnections()
		}
	})
	for _, region := range regions {
		for _, endpoints := range [][]string{region.Endpoints, region.HTTPEndpoints} {
			for number, endpoint := range endpoints {
				u, err := url.Parse(endpoint)
				if err != nil {
					t.Fatal(err)
				}
				r.nodes[u.Host] = node{region.ID, number}
			}
		}
	}
	return r
}

// Call implements the SDK's HttpClient. The transport is made anew for every request, from the client's settings.
func (r *recorder) Call(request *http.Request, transport *http.Transport) (*http.Response, error) {
	response, err := r.transport(request.URL.Host, transport).RoundTrip(request)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	seen := outcome{node: r.nodes[request.URL.Host], action: action(request)}
	if response.StatusCode != http.StatusOK {
		var refusal struct{ Code string }
		if err := json.Unmarshal(body, &refusal); err != nil || refusal.Code == "" {
			refusal.Code = "no code"
		}
		seen.code = refusal.Code
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen[seen] = true
	return response, nil
}

// action is the request's, in either signature. The SDK writes the header's name in lower case, past what Header.Get looks for.
func action(request *http.Request) string {
	for name, values := range request.Header {
		if strings.EqualFold(name, "x-acs-action") {
			return values[0]
		}
	}
	return ""
}

func (r *recorder) transport(host string, made *http.Transport) *http.Transport {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.http[host] == nil {
		r.http[host] = made
	}
	return r.http[host]
}

// alwaysRefused are the actions that can have no other answer than this code.
var alwaysRefused = map[string]string{"OpenKmsService": "Forbidden.Opened"}

// wantEveryAction insists that every node of the region did every action of the contract.
func (r *recorder) wantEveryAction(t *testing.T, region region) {
	t.Helper()
	for _, action := range contract(t) {
		for number := range region.Endpoints {
			if !r.seen[outcome{node{region.ID, number}, action, alwaysRefused[action]}] {
				t.Errorf("%s was not done on node %d of %s", action, number, region.ID)
			}
		}
	}
}

// contract lists the actions that the service is to serve, from the file that its own tests judge it by.
func contract(t *testing.T) (actions []string) {
	t.Helper()
	text, err := os.ReadFile("../../cluster/api/testdata/actions.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Actions []struct {
			Name  string
			Later bool
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for _, action := range file.Actions {
		if !action.Later {
			actions = append(actions, action.Name)
		}
	}
	return actions
}
