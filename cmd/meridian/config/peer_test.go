package config

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
)

func TestTransportKeyHashes(t *testing.T) {
	one, two := sha256.Sum256([]byte("a public key")), sha256.Sum256([]byte("another"))
	digits := hex.EncodeToString(one[:])
	first, second := "sha256:"+digits, "sha256:"+hex.EncodeToString(two[:])
	for text, want := range map[string][][sha256.Size]byte{"": nil, first: {one}, second + " " + first: {two, one}, " " + first + "\n": {one}} {
		got, ok := (Peer{TransportKey: text}).TransportKeyHashes()
		if !ok || len(got) != len(want) {
			t.Fatalf("%q: %x, %v", text, got, ok)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%q: hash %d is %x", text, i, got[i])
			}
		}
	}
	for _, bad := range []string{digits, "sha1:" + digits, "sha256:", first[:len(first)-2], first + "00", "sha256:zz" + digits[2:], first + "," + second, first + " x"} {
		if _, ok := (Peer{TransportKey: bad}).TransportKeyHashes(); ok {
			t.Errorf("%q is taken", bad)
		}
	}
}
