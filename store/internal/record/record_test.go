package record

import (
	"bytes"
	"encoding/hex"
	"sort"
	"testing"

	"meridian/crypto"
)

// The layout of a value is fixed: files of one build are read by the next.
func TestSealIsFixed(t *testing.T) {
	value, d := Seal(Keys, []byte("key"), []byte("message"))
	const want = "ff588a2c68825dea"
	if got := hex.EncodeToString(value); got != hex.EncodeToString([]byte("message"))+want {
		t.Errorf("value %s", got)
	}
	if !bytes.Equal(value[7:], d[:ChecksumBytes]) {
		t.Errorf("checksum %x, digest %x", value[7:], d)
	}
}

func TestOpenRefusesWhatIsNotSealed(t *testing.T) {
	key, message := []byte("key"), []byte("message")
	value, d := Seal(Keys, key, bytes.Clone(message))
	if got, gotDigest, ok := Open(Keys, key, value); !ok || !bytes.Equal(got, message) || gotDigest != d {
		t.Fatalf("%q, %v", got, ok)
	}
	for i := range value {
		for bit := range 8 {
			damaged := bytes.Clone(value)
			damaged[i] ^= 1 << bit
			if _, _, ok := Open(Keys, key, damaged); ok {
				t.Errorf("bit %d of byte %d may differ", bit, i)
			}
		}
	}
	if _, _, ok := Open(Versions, key, value); ok {
		t.Error("opens in another bucket")
	}
	if _, _, ok := Open(Keys, []byte("kez"), value); ok {
		t.Error("opens under another key")
	}
	if _, _, ok := Open(Keys, append(key, 'm'), value[1:]); ok {
		t.Error("opens with a byte moved from the message to the key")
	}
	for n := range ChecksumBytes {
		if _, _, ok := Open(Keys, key, value[:n]); ok {
			t.Errorf("opens with %d bytes", n)
		}
	}
}

func TestDigestTakesLongRecords(t *testing.T) {
	a, b := make([]byte, 5000), make([]byte, 5000)
	b[4999] = 1
	if DigestOf(Policies, []byte("key"), a) == DigestOf(Policies, []byte("key"), b) {
		t.Error("the end of a long message does not count")
	}
}

// Keys sort as their numbers do.
func TestTimedKeysSortByTime(t *testing.T) {
	times := []int64{0, 1, 255, 256, 1795478400000, 253402300799999}
	var keys []string
	for _, ms := range times {
		id := [IDBytes]byte{15: byte(ms)}
		key := TimedKey(ExpireNonce, ms, id)
		keys = append(keys, string(key))
		kind, gotMs, gotID, ok := ParseTimedKey(key)
		if kind != ExpireNonce || gotMs != ms || gotID != id || !ok {
			t.Errorf("%d: %d, %d, %x, %v", ms, kind, gotMs, gotID, ok)
		}
	}
	if !sort.StringsAreSorted(keys) {
		t.Errorf("%x", keys)
	}
	if _, _, _, ok := ParseTimedKey([]byte("short")); ok {
		t.Error("a short key is taken")
	}
	var created []string
	for _, ms := range times {
		created = append(created, string(CreatedKey(ms, crypto.KeyID{byte(-ms)})))
	}
	if !sort.StringsAreSorted(created) {
		t.Errorf("%x", created)
	}
}

// A nonce belongs to its access key, however the two are cut.
func TestNonceKeysAreApart(t *testing.T) {
	if NonceKey("AK1", "2x") == NonceKey("AK12", "x") {
		t.Error("AK1 with 2x is AK12 with x")
	}
}
