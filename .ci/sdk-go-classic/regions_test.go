package classic

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"os"
	"testing"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/kms"
)

// readyFile names the environment variable that holds the path of the ready file of two running regions.
const readyFile = "KMS_READY_FILE"

// region is what the ready file says of one region.
type region struct {
	ID              string   `json:"id"`
	Account         string   `json:"account"`
	Endpoints       []string `json:"endpoints"`
	HTTPEndpoints   []string `json:"http_endpoints"`
	CAFile          string   `json:"ca_file"`
	AccessKeyID     string   `json:"access_key_id"`
	AccessKeySecret string   `json:"access_key_secret"`
}

// twoRegions reads the ready file and insists on two regions of three nodes.
func twoRegions(t *testing.T) (west, east region) {
	t.Helper()
	path := os.Getenv(readyFile)
	if path == "" {
		t.Fatalf("set %s to the file that meridian dev --regions 2 --nodes 3 --ready-file FILE writes", readyFile)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var ready struct {
		Regions []region `json:"regions"`
	}
	if err := json.Unmarshal(text, &ready); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if len(ready.Regions) != 2 || len(ready.Regions[0].Endpoints) != 3 || len(ready.Regions[1].HTTPEndpoints) != 3 {
		t.Fatalf("%s: want two regions of three nodes, have %+v", path, ready.Regions)
	}
	return ready.Regions[0], ready.Regions[1]
}

// variant is one way in which the SDK can talk to a node.
type variant struct {
	scheme string // http, https
	format string // JSON, XML
	method string // GET, POST
}

// newClient returns the SDK's client for a region, which checks certificates against the region's own authority.
func newClient(t *testing.T, r region, id, secret string) *kms.Client {
	t.Helper()
	config := sdk.NewConfig()
	client, err := kms.NewClientWithOptions(r.ID, config, credentials.NewAccessKeyCredential(id, secret))
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(r.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		t.Fatalf("%s holds no certificate", r.CAFile)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(transport.CloseIdleConnections)
	client.SetTransport(transport)
	return client
}

// to points a request at one node of a region.
func (v variant) to(t *testing.T, request *requests.RpcRequest, r region, node int) {
	t.Helper()
	endpoints := r.HTTPEndpoints
	if v.scheme == "https" {
		endpoints = r.Endpoints
	}
	request.Scheme = v.scheme
	request.Method = v.method
	request.AcceptFormat = v.format
	request.Domain = endpoints[node][len(v.scheme+"://"):]
}
