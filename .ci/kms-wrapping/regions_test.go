package wrapping

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"
)

// readyFile names the environment variable that holds the path of the ready file of two running regions.
const readyFile = "KMS_READY_FILE"

// region is what the ready file says of one region.
type region struct {
	ID              string   `json:"id"`
	Account         string   `json:"account"`
	Endpoints       []string `json:"endpoints"`
	CAFile          string   `json:"ca_file"`
	AccessKeyID     string   `json:"access_key_id"`
	AccessKeySecret string   `json:"access_key_secret"`
}

// domain is the seal's setting of that name for one node: host and port.
func (r region) domain(t *testing.T, node int) string {
	t.Helper()
	u, err := url.Parse(r.Endpoints[node])
	if err != nil || u.Scheme != "https" {
		t.Fatalf("endpoint %s: want https (%v)", r.Endpoints[node], err)
	}
	return u.Host
}

// readRegions reads the ready file and insists on two regions of three nodes.
func readRegions() (west, east region, err error) {
	path := os.Getenv(readyFile)
	if path == "" {
		return region{}, region{}, fmt.Errorf("set %s to the file that meridian dev --regions 2 --nodes 3 --ready-file FILE writes", readyFile)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return region{}, region{}, err
	}
	var ready struct {
		Regions []region `json:"regions"`
	}
	if err := json.Unmarshal(text, &ready); err != nil {
		return region{}, region{}, fmt.Errorf("%s: %w", path, err)
	}
	if len(ready.Regions) != 2 || len(ready.Regions[0].Endpoints) != 3 || len(ready.Regions[1].Endpoints) != 3 {
		return region{}, region{}, fmt.Errorf("%s: want two regions of three nodes", path)
	}
	return ready.Regions[0], ready.Regions[1], nil
}

func twoRegions(t *testing.T) (west, east region) {
	t.Helper()
	west, east, err := readRegions()
	if err != nil {
		t.Fatal(err)
	}
	return west, east
}

// TestMain has the process trust both regions, as an operator has Vault trust one: the seal has no setting for an
// authority, always speaks HTTPS, and takes the system's, which SSL_CERT_FILE names. That has to be set before anything
// asks for them.
func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "kms-wrapping-")
	if err == nil {
		err = trustRegions(filepath.Join(folder, "ca.pem"))
	}
	code := 1
	if err == nil {
		code = m.Run()
	}
	if err := errors.Join(err, os.RemoveAll(folder)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func trustRegions(bundle string) error {
	west, east, err := readRegions()
	if err != nil {
		return err
	}
	var pem bytes.Buffer
	for _, r := range []region{west, east} {
		text, err := os.ReadFile(r.CAFile)
		if err != nil {
			return err
		}
		pem.Write(text)
	}
	if err := os.WriteFile(bundle, pem.Bytes(), 0o600); err != nil {
		return err
	}
	return os.Setenv("SSL_CERT_FILE", bundle)
}
