package ceiling_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"meridian/cluster/api/ceiling"
	"meridian/cluster/api/client"
	"meridian/crypto"
)

// TestSealsForTheRightSignature asks through the client, with the right secret and with a wrong one.
func TestSealsForTheRightSignature(t *testing.T) {
	secret := crypto.Secret("a secret of the ceiling")
	h, err := ceiling.New("ak", secret)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	defer server.Close()
	for _, tc := range []struct {
		secret string
		status int
	}{{string(secret), http.StatusOK}, {"another", http.StatusBadRequest}} {
		c, err := client.New(client.Config{Endpoints: []string{server.URL}, AccessKeyID: "ak", Secret: crypto.Secret(tc.secret), Signature: client.V1})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		var out struct{ KeyId, CiphertextBlob, RequestId string }
		_, err = c.Do(t.Context(), "Encrypt", map[string]string{"KeyId": "alias/a", "Plaintext": base64.StdEncoding.EncodeToString([]byte(strings.Repeat("+/x", 100)))}, &out)
		if (err == nil) != (tc.status == http.StatusOK) {
			t.Errorf("secret %q: %v", tc.secret, err)
		}
		if err == nil {
			blob, err := base64.StdEncoding.DecodeString(out.CiphertextBlob)
			if err != nil || len(blob) != 300+crypto.Overhead || out.KeyId != "alias/a" || out.RequestId == "" {
				t.Errorf("answer %+v: %v", out, err)
			}
		}
	}
}
