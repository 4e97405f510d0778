package devregion

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
)

func TestTrustBundleHoldsTheRegionsCA(t *testing.T) {
	l, err := Prepare(Options{Dir: t.TempDir(), Regions: 1, Nodes: 1})
	if err != nil {
		t.Fatal(err)
	}
	r := l.Regions[0]
	ca, err := os.ReadFile(r.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := os.ReadFile(filepath.Join(r.Dir, "trust.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasSuffix(bundle, ca) {
		t.Error("the bundle does not end with the region's CA")
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	cert, err := os.ReadFile(filepath.Join(r.Dir, r.Nodes[0].ID+".api.crt"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(cert)
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: "127.0.0.1"}); err != nil {
		t.Errorf("a client with the bundle refuses the node: %v", err)
	}
}
