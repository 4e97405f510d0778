package crypto

import (
	"encoding/hex"
	"errors"
	"testing"
)

// The digests of messages are those that others make: of SHA-256 that of FIPS 180-4 (example of NIST), of SM2 that of
// GB/T 32918.5, appendix A.2. A hash that is used again gives the same.
func TestMessageHash(t *testing.T) {
	for _, tc := range []struct {
		scheme        SignatureScheme
		message, want string
	}{
		{RSAPSSSHA256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{RSAPKCS1SHA256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{ECDSASHA256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{SM2DSA, "message digest", "f0b43e94ba45accaace692ed534382eb17e6ab5a19ce7b31f4486fdfc0d28640"},
	} {
		t.Run(string(tc.scheme), func(t *testing.T) {
			h, err := publicFor(t, tc.scheme).NewHash(tc.scheme)
			if err != nil {
				t.Fatal(err)
			}
			for _, use := range []string{"first", "second"} {
				h.Write([]byte(tc.message))
				if got := hex.EncodeToString(h.Sum(nil)); got != tc.want {
					t.Errorf("the %s digest is %s, want %s", use, got, tc.want)
				}
				h.Reset()
			}
		})
	}
}

// publicFor is a public key that has the scheme; of SM2 the one of the standard's examples.
func publicFor(t *testing.T, s SignatureScheme) *PublicKey {
	t.Helper()
	switch s {
	case SM2DSA:
		return sm2Standard(t).Public()
	case ECDSASHA256:
		return testPair(t, AlgorithmECP256).Public()
	}
	return testPair(t, AlgorithmRSA2048).Public()
}

func TestMessageHashOfAnotherScheme(t *testing.T) {
	for _, s := range []SignatureScheme{SM2DSA, ECDSASHA256, "", "RSA_PSS_SHA_512"} {
		if _, err := testPair(t, AlgorithmRSA2048).Public().NewHash(s); !errors.Is(err, ErrScheme) {
			t.Errorf("%q with an RSA key: %v", s, err)
		}
	}
}
