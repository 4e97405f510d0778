package v3

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	openapiutil "github.com/alibabacloud-go/darabonba-openapi/v2/utils"
	kms "github.com/alibabacloud-go/kms-20160120/v3/client"
	"github.com/alibabacloud-go/tea/tea"
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
	scheme    string // http, https
	signature string // "": the SDK's default, ACS3-HMAC-SHA256; "v2": the older RPC signature
}

func (v variant) name() string {
	if v.signature == "" {
		return v.scheme + " ACS3-HMAC-SHA256"
	}
	return v.scheme + " HMAC-SHA1"
}

// newClient returns the SDK's client for one node, which checks certificates against the region's own authority.
func (v variant) newClient(t *testing.T, r region, node int, id, secret string) *kms.Client {
	t.Helper()
	config := &openapiutil.Config{
		AccessKeyId:     tea.String(id),
		AccessKeySecret: tea.String(secret),
		RegionId:        tea.String(r.ID),
		Protocol:        tea.String(v.scheme),
		Endpoint:        tea.String(strings.TrimPrefix(r.HTTPEndpoints[node], "http://")),
	}
	if v.signature != "" {
		config.SignatureAlgorithm = tea.String(v.signature)
	}
	if v.scheme == "https" {
		pem, err := os.ReadFile(r.CAFile)
		if err != nil {
			t.Fatal(err)
		}
		config.Ca = tea.String(string(pem))
		config.Endpoint = tea.String(strings.TrimPrefix(r.Endpoints[node], "https://"))
	}
	client, err := kms.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}
