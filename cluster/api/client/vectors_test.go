package client

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// decodeVector decodes the parameters of a vector.
func decodeVector(t *testing.T, encoded string) map[string]string {
	t.Helper()
	params := make(map[string]string)
	for _, pair := range strings.Split(encoded, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		n, err1 := url.QueryUnescape(name)
		v, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil {
			t.Fatalf("%q: %v %v", pair, err1, err2)
		}
		params[n] = v
	}
	return params
}

// signedOfVector picks the headers that a vector signs, sorted, and the hash of its body.
func signedOfVector(t *testing.T, all [][2]string) (signed [][2]string, bodyHash string) {
	t.Helper()
	var names []string
	values := make(map[string]string)
	for _, h := range all {
		name := strings.ToLower(h[0])
		values[name] = h[1]
		if name == "authorization" {
			_, list, _ := strings.Cut(h[1], "SignedHeaders=")
			list, _, _ = strings.Cut(list, ",")
			names = strings.Split(list, ";")
		}
	}
	slices.Sort(names)
	for _, name := range names {
		signed = append(signed, [2]string{name, values[name]})
	}
	return signed, values["x-acs-content-sha256"]
}

func hashOf(method string) func() hash.Hash {
	if method == "HMAC-SHA256" {
		return sha256.New
	}
	return sha1.New
}

func macBase64(newHash func() hash.Hash, key []byte, text string) string {
	return base64.StdEncoding.EncodeToString(mac(newHash, key, text))
}

func macHex(key []byte, text string) string { return hex.EncodeToString(mac(sha256.New, key, text)) }
