package access_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"hash"
	"strings"
	"sync"
	"testing"

	"meridian/cluster/access"
	"meridian/crypto"
)

const secret = "secretOfTheTest000001"

func TestRootMayDoEverything(t *testing.T) {
	ids, err := access.NewRoot("100000000000001", access.Key{ID: "ak", Secret: crypto.Secret(secret)}, access.Key{ID: "old", Secret: crypto.Secret(secret), Inactive: true, MinSignature: access.V3})
	if err != nil {
		t.Fatal(err)
	}
	id, ok := ids.Lookup("ak")
	if !ok || !id.Active || id.Principal != "acs:ram::100000000000001:root" || id.MinSignature != access.V1 {
		t.Errorf("%+v, %v", id, ok)
	}
	if !ids.Authorize(id, "kms:Decrypt", "acs:kms:r:100000000000001:key/x") {
		t.Error("root was refused")
	}
	if ids.Authorize(ids.Dummy(), "kms:Decrypt", "x") || ids.Authorize(nil, "kms:Decrypt", "x") {
		t.Error("nobody was allowed")
	}
	if old, ok := ids.Lookup("old"); !ok || old.Active || old.MinSignature != access.V3 {
		t.Errorf("%+v, %v", old, ok)
	}
	for _, unknown := range []string{"", "AK", "unknown"} {
		if _, ok := ids.Lookup(unknown); ok {
			t.Errorf("%q was found", unknown)
		}
	}
	if text := fmt.Sprintf("%v %+v %#v", id, id, id); strings.Contains(text, secret) || strings.Contains(text, fmt.Sprint([]byte(secret))) {
		t.Errorf("an identity prints its secret: %s", text)
	}
}

func TestEveryMistakeIsReported(t *testing.T) {
	good := access.Key{ID: "ak", Secret: crypto.Secret(secret)}
	_, err := access.NewRoot("", good, good, access.Key{ID: "a b", Secret: crypto.Secret(secret)}, access.Key{ID: "short", Secret: crypto.Secret("tiny")}, access.Key{ID: strings.Repeat("x", 129), Secret: crypto.Secret(secret)})
	if err == nil {
		t.Fatal("taken")
	}
	for _, want := range []string{"account", "twice", `"a b"`, "secret of short: it is shorter than 16 bytes", strings.Repeat("x", 129)} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not reported: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "tiny") {
		t.Errorf("the error tells a secret: %v", err)
	}
}

// TestMACs compares pooled keyed hashes with fresh ones, by many at once.
func TestMACs(t *testing.T) {
	ids, err := access.NewRoot("1", access.Key{ID: "ak", Secret: crypto.Secret(secret)})
	if err != nil {
		t.Fatal(err)
	}
	id, _ := ids.Lookup("ak")
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := range 200 {
				text := fmt.Appendf(nil, "text %d of %d", i, worker)
				for kind, want := range map[access.MACKind][]byte{
					access.V1SHA1: fresh(sha1.New, secret+"&", text), access.V1SHA256: fresh(sha256.New, secret+"&", text), access.V3SHA256: fresh(sha256.New, secret, text),
				} {
					m := id.MAC(kind)
					m.Write(text)
					if got := m.Sum(nil); !bytes.Equal(got, want) {
						t.Errorf("kind %d: %x, want %x", kind, got, want)
					}
					m.Release()
				}
			}
		})
	}
	wg.Wait()
}

func fresh(newHash func() hash.Hash, key string, text []byte) []byte {
	h := hmac.New(newHash, []byte(key))
	h.Write(text)
	return h.Sum(nil)
}

func TestSignatureWords(t *testing.T) {
	for _, s := range []access.Signature{access.V1, access.V3} {
		if got, ok := access.ParseSignature(s.String()); !ok || got != s {
			t.Errorf("%v is read as %v, %v", s, got, ok)
		}
	}
	for _, word := range []string{"", "V3", "v2"} {
		if s, ok := access.ParseSignature(word); ok {
			t.Errorf("%q is read as %v", word, s)
		}
	}
}
