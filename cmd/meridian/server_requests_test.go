package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"meridian/cluster/api/client"
	"meridian/cmd/meridian/devregion"
	"meridian/crypto"
)

// TestServerRefusesWeakAndOldRequests configures a server to take requests of V3
// only, and takes its memory of nonces away between two starts.
func TestServerRefusesWeakAndOldRequests(t *testing.T) {
	t.Parallel()
	r := startRegions(t, 1, 1, "access.root.min_signature=v3")
	region := r.layout.Regions[0]
	node := region.Nodes[0]
	ca, err := os.ReadFile(region.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	encrypt := func(key string, scheme client.Signature, behind time.Duration) (code string) {
		t.Helper()
		c, err := client.New(client.Config{
			Endpoints: []string{node.Endpoint()}, CA: ca, Signature: scheme,
			AccessKeyID: devregion.AccessKeyID, Secret: crypto.Secret(devregion.AccessKeySecret),
			Now: func() time.Time { return time.Now().Add(-behind) },
		})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, err = c.Do(t.Context(), "Encrypt", map[string]string{"KeyId": key, "Plaintext": "aGVsbG8="}, nil)
		var answer *client.Error
		if err != nil && !errors.As(err, &answer) {
			t.Fatal(err)
		}
		if answer == nil {
			return ""
		}
		return answer.Code
	}
	key := makeKey(t, r.client(region))
	for _, scheme := range []client.Signature{client.V1, client.V1SHA256} {
		if code := encrypt(key, scheme, 0); code != "InvalidSignatureMethod" {
			t.Errorf("scheme %d is answered %q", scheme, code)
		}
	}
	const behind = 10 * time.Minute
	if code := encrypt(key, client.V3, behind); code != "" {
		t.Errorf("a new server refuses a clock that is behind: %s", code)
	}

	r.stop(node)
	r.start(node)
	r.waitReady(node)
	if code := encrypt(key, client.V3, behind); code != "" {
		t.Errorf("a server that was started again refuses a clock that is behind: %s", code)
	}

	r.stop(node)
	if err := os.Remove(filepath.Join(node.DataDir, "nonces")); err != nil {
		t.Fatal(err)
	}
	r.start(node)
	r.waitReady(node)
	if code := encrypt(key, client.V3, behind); code != "InvalidTimeStamp.Expired" {
		t.Errorf("without its nonces the server answers %q to a request that may have been used", code)
	}
	if !eventually(func() bool { return encrypt(key, client.V3, 0) == "" }) {
		t.Error("without its nonces of before the server refuses requests of now")
	}
}
