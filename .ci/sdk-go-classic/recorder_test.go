package classic

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"sync"
	"testing"
)

// recorder is the transport of clients to the nodes of several regions. It notes what each node answered to each action.
type recorder struct {
	nodes map[string]node // by host and port
	mu    sync.Mutex
	seen  map[outcome]bool
}

// node is one node of a region, by its number there from 0.
type node struct {
	region string
	number int
	http.RoundTripper
}

// outcome is an answer to an action: its error code, or nothing where it is none.
type outcome struct {
	region string
	node   int
	action string
	code   string
}

// newRecorder returns a transport to the regions' nodes, which checks each certificate against the authority of its region.
func newRecorder(t *testing.T, regions ...region) *recorder {
	t.Helper()
	r := &recorder{nodes: make(map[string]node), seen: make(map[outcome]bool)}
	for _, region := range regions {
		pem, err := os.ReadFile(region.CAFile)
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			t.Fatalf("%s holds no certificate", region.CAFile)
		}
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, MaxIdleConnsPerHost: 4}
		t.Cleanup(transport.CloseIdleConnections)
		for _, endpoints := range [][]string{region.Endpoints, region.HTTPEndpoints} {
			for number, endpoint := range endpoints {
				u, err := url.Parse(endpoint)
				if err != nil {
					t.Fatal(err)
				}
				r.nodes[u.Host] = node{region.ID, number, transport}
			}
		}
	}
	return r
}

var codeMember = regexp.MustCompile(`"Code":"([^"]+)"|<Code>([^<]+)</Code>`)

// RoundTrip implements http.RoundTripper.
func (r *recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	node := r.nodes[request.URL.Host]
	response, err := node.RoundTripper.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	seen := outcome{node.region, node.number, request.URL.Query().Get("Action"), ""}
	if response.StatusCode != http.StatusOK {
		seen.code = "no code"
		if match := codeMember.FindSubmatch(body); match != nil {
			seen.code = string(match[1]) + string(match[2])
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen[seen] = true
	return response, nil
}

// alwaysRefused are the actions that can have no other answer than this code.
var alwaysRefused = map[string]string{"OpenKmsService": "Forbidden.Opened"}

// wantEveryAction insists that every node of the region did every action of the contract.
func (r *recorder) wantEveryAction(t *testing.T, region region) {
	t.Helper()
	for _, action := range contract(t) {
		for number := range region.Endpoints {
			if !r.seen[outcome{region.ID, number, action, alwaysRefused[action]}] {
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
