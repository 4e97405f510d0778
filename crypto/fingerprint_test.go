package crypto

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"testing"
)

func mustFingerprint(t testing.TB, k *Keyring, b Binding, material []byte) []byte {
	t.Helper()
	fingerprint, err := k.Fingerprint(b, material)
	if err != nil {
		t.Fatal(err)
	}
	return fingerprint
}

// sameMaterial is SameMaterial where nothing may go wrong.
func sameMaterial(t testing.TB, k *Keyring, b Binding, fingerprint, material []byte) bool {
	t.Helper()
	same, err := k.SameMaterial(b, fingerprint, material)
	if err != nil {
		t.Fatal(err)
	}
	return same
}

// referenceFingerprint follows the specification at Fingerprint, with HKDF (RFC 5869) in its two steps.
func referenceFingerprint(epoch int, kek []byte, b Binding, material []byte) []byte {
	mac := func(key []byte, parts ...string) []byte {
		h := hmac.New(sha256.New, key)
		for _, part := range parts {
			h.Write([]byte(part))
		}
		return h.Sum(nil)
	}
	const domain = "meridian/fingerprint/1"
	header := "\x01" + referenceU32(epoch)
	key := mac(mac(make([]byte, 32), string(kek)), domain, "\x01")
	place := domain + header + string(rune(b.Algorithm)) + referenceU32(len(b.Region)) + b.Region + string(b.KeyID[:]) + string(b.VersionID[:]) +
		referenceU32(len(b.Purpose)) + string(b.Purpose) + referenceU32(len(b.Name)) + b.Name
	return append([]byte(header), mac(key, place, string(material))...)
}

func TestFingerprintIsAsSpecified(t *testing.T) {
	kek := counting(0x20, KeyBytes)
	k, err := ParseKeyring([]byte(keyringMagic + "\x00\x01" + referenceU32(7) + string(kek)))
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	b := MaterialOf("eu-central-1", KeyID(counting(0xa0, 16)), VersionID(counting(0xc0, 16)), AlgorithmXAES256GCM)
	material := counting(0, 32)
	got := mustFingerprint(t, k, b, material)
	if want := referenceFingerprint(7, kek, b, material); !bytes.Equal(got, want) || len(got) != FingerprintBytes {
		t.Errorf("%x, by the specification %x", got, want)
	}
	// It is stored: it must never come out otherwise.
	const golden = "010000000751ec2a00d815d65cf8e35ad5ef749c528c7d0b27886a1712bbb77886e709f9a9"
	if hex.EncodeToString(got) != golden {
		t.Errorf("%x, was %s", got, golden)
	}
}

func TestSameMaterial(t *testing.T) {
	k := mustKeyring(t)
	b, material := testBinding, counting(0, 32)
	fingerprint := mustFingerprint(t, k, b, material)
	if !bytes.Equal(fingerprint, mustFingerprint(t, k, b, material)) {
		t.Error("the fingerprint differs the second time")
	}
	if !sameMaterial(t, k, b, fingerprint, material) {
		t.Error("the same material is another")
	}
	for i := range material {
		for bit := range 8 {
			other := bytes.Clone(material)
			other[i] ^= 1 << bit
			if sameMaterial(t, k, b, fingerprint, other) {
				t.Errorf("bit %d of byte %d changed: the same material", bit, i)
			}
		}
	}
	for name, other := range map[string][]byte{"nothing": nil, "a byte less": material[:31], "a byte more": append(bytes.Clone(material), 0), "a zero before": append([]byte{0}, material...)} {
		if sameMaterial(t, k, b, fingerprint, other) {
			t.Errorf("%s: the same material", name)
		}
	}
	if mac := fingerprint[fingerprintHeaderBytes:]; bytes.Contains(mac, material[:8]) {
		t.Error("the material lies open in its fingerprint")
	}
}

func TestFingerprintsAreTiedToTheirPlace(t *testing.T) {
	k := mustKeyring(t)
	material := counting(0, 32)
	fingerprint := mustFingerprint(t, k, testBinding, material)
	for name, change := range map[string]func(*Binding){
		"region":              func(b *Binding) { b.Region = "eu-2" },
		"key":                 func(b *Binding) { b.KeyID = NewKeyID() },
		"version":             func(b *Binding) { b.VersionID = NewVersionID() },
		"algorithm":           func(b *Binding) { b.Algorithm++ },
		"purpose":             func(b *Binding) { b.Purpose = PurposeImport },
		"name":                func(b *Binding) { b.Name = "n" },
		"name out of purpose": func(b *Binding) { b.Purpose, b.Name = b.Purpose[:4], string(b.Purpose[4:]) },
	} {
		b := testBinding
		change(&b)
		if sameMaterial(t, k, b, fingerprint, material) {
			t.Errorf("another %s: the same material", name)
		}
	}
	// What ends the place must not begin the material.
	b := testBinding
	b.Name = "name"
	if bytes.Equal(mustFingerprint(t, k, b, material), mustFingerprint(t, k, testBinding, append([]byte("name"), material...))) {
		t.Error("place and material run into each other")
	}
	if sameMaterial(t, mustKeyring(t), testBinding, fingerprint, material) {
		t.Error("another keyring: the same material")
	}
}

func TestFingerprintsAfterRotation(t *testing.T) {
	first := mustKeyring(t)
	material := counting(0, 32)
	old := mustFingerprint(t, first, testBinding, material)
	second, err := first.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if !sameMaterial(t, second, testBinding, old, material) {
		t.Error("after a rotation the same material is another")
	}
	if sameMaterial(t, second, testBinding, old, counting(1, 32)) {
		t.Error("after a rotation other material is the same")
	}
	fresh := mustFingerprint(t, second, testBinding, material)
	if bytes.Equal(fresh, old) || fresh[4] != 2 {
		t.Errorf("the new fingerprint is of epoch %x", fresh[1:5])
	}
	if same, err := first.SameMaterial(testBinding, fresh, material); same || !errors.Is(err, ErrFingerprint) {
		t.Errorf("the old keyring on a fingerprint of epoch 2: %v, %v", same, err)
	}
	// The epoch is bound: a fingerprint of one epoch cannot claim another.
	claimed := bytes.Clone(old)
	claimed[4] = 2
	if sameMaterial(t, second, testBinding, claimed, material) {
		t.Error("a fingerprint of epoch 1 passes as one of epoch 2")
	}
}

func TestFingerprintsThatAreNone(t *testing.T) {
	k := mustKeyring(t)
	material := counting(0, 32)
	fingerprint := mustFingerprint(t, k, testBinding, material)
	with := func(i int, b byte) []byte { f := bytes.Clone(fingerprint); f[i] = b; return f }
	for name, bad := range map[string][]byte{
		"nothing": nil, "a byte less": fingerprint[:FingerprintBytes-1], "a byte more": append(bytes.Clone(fingerprint), 0),
		"another format": with(0, 2), "epoch 0": with(4, 0), "epoch 2": with(4, 2), "epoch 2^24 + 1": with(1, 1),
		"wrapped bytes": mustWrap(t, k, testBinding, nil),
	} {
		if same, err := k.SameMaterial(testBinding, bad, material); same || !errors.Is(err, ErrFingerprint) {
			t.Errorf("%s: %v, %v", name, same, err)
		}
	}
	for i := fingerprintHeaderBytes; i < FingerprintBytes; i++ {
		if sameMaterial(t, k, testBinding, with(i, fingerprint[i]^1), material) {
			t.Errorf("byte %d changed: the same material", i)
		}
	}
	k.Close()
	if _, err := k.Fingerprint(testBinding, material); !errors.Is(err, ErrKeyringClosed) {
		t.Errorf("Fingerprint of a closed keyring: %v", err)
	}
	if same, err := k.SameMaterial(testBinding, fingerprint, material); same || !errors.Is(err, ErrKeyringClosed) {
		t.Errorf("SameMaterial of a closed keyring: %v, %v", same, err)
	}
}
