package config

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
)

func TestTransportKeyHash(t *testing.T) {
	sum := sha256.Sum256([]byte("a public key"))
	digits := hex.EncodeToString(sum[:])
	if got, ok := (Peer{TransportKey: "sha256:" + digits}).TransportKeyHash(); !ok || got != sum {
		t.Errorf("%x, %v", got, ok)
	}
	for _, bad := range []string{"", digits, "sha1:" + digits, "sha256:", "sha256:" + digits[2:], "sha256:" + digits + "00", "sha256:zz" + digits[2:]} {
		if _, ok := (Peer{TransportKey: bad}).TransportKeyHash(); ok {
			t.Errorf("%q is taken", bad)
		}
	}
}
