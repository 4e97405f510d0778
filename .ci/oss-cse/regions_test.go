package cse

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"testing"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/kms"
)

// readyFile names the environment variable that holds the path of the ready file of two running regions.
const readyFile = "KMS_READY_FILE"

// region is what the ready file says of one region.
type region struct {
	ID              string   `json:"id"`
	Endpoints       []string `json:"endpoints"`
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
	if len(ready.Regions) != 2 || len(ready.Regions[0].Endpoints) != 3 || len(ready.Regions[1].Endpoints) != 3 {
		t.Fatalf("%s: want two regions of three nodes", path)
	}
	return ready.Regions[0], ready.Regions[1]
}

// kmsClient is the client that the object store's SDK wraps its keys with, pointed at one node. The SDK insists on HTTPS.
type kmsClient struct {
	*kms.Client
	t *testing.T
}

func (r region) client(t *testing.T, node int) kmsClient {
	t.Helper()
	client, err := kms.NewClientWithOptions(r.ID, sdk.NewConfig().WithScheme("https"),
		credentials.NewAccessKeyCredential(r.AccessKeyID, r.AccessKeySecret))
	if err != nil {
		t.Fatal(err)
	}
	endpoint, err := url.Parse(r.Endpoints[node])
	if err != nil {
		t.Fatal(err)
	}
	client.Domain = endpoint.Host
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
	return kmsClient{client, t}
}

func (c kmsClient) createKey(description string) string {
	c.t.Helper()
	request := kms.CreateCreateKeyRequest()
	request.Description = description
	answer, err := c.CreateKey(request)
	c.ok("CreateKey", err)
	return answer.KeyMetadata.KeyId
}

func (c kmsClient) disable(key string) {
	c.t.Helper()
	request := kms.CreateDisableKeyRequest()
	request.KeyId = key
	_, err := c.DisableKey(request)
	c.ok("DisableKey", err)
}

func (c kmsClient) enable(key string) {
	c.t.Helper()
	request := kms.CreateEnableKeyRequest()
	request.KeyId = key
	_, err := c.EnableKey(request)
	c.ok("EnableKey", err)
}

func (c kmsClient) encrypt(key string, text []byte) (blob string) {
	c.t.Helper()
	request := kms.CreateEncryptRequest()
	request.KeyId, request.Plaintext = key, base64.StdEncoding.EncodeToString(text)
	answer, err := c.Encrypt(request)
	c.ok("Encrypt", err)
	return answer.CiphertextBlob
}

func (c kmsClient) decrypt(blob string) []byte {
	c.t.Helper()
	request := kms.CreateDecryptRequest()
	request.CiphertextBlob = blob
	answer, err := c.Decrypt(request)
	c.ok("Decrypt", err)
	text, err := base64.StdEncoding.DecodeString(answer.Plaintext)
	c.ok("Plaintext", err)
	return text
}

func (c kmsClient) ok(what string, err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatalf("%s: %v", what, err)
	}
}
