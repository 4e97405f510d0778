package crypto

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"
)

var testBinding = MaterialOf("eu-1", testHeader.KeyID, testHeader.VersionID, AlgorithmXAES256GCM)

func mustKeyring(t testing.TB) *Keyring {
	t.Helper()
	k, err := GenerateKeyring()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return k
}

func mustWrap(t testing.TB, k *Keyring, b Binding, material []byte) []byte {
	t.Helper()
	wrapped, err := k.Wrap(b, material)
	if err != nil {
		t.Fatal(err)
	}
	return wrapped
}

func TestKeyringRoundTrip(t *testing.T) {
	k := mustKeyring(t)
	for _, size := range []int{0, 1, 32, 4096} {
		material := counting(1, size)
		wrapped := mustWrap(t, k, testBinding, material)
		if len(wrapped) != size+WrapOverhead {
			t.Errorf("%d bytes are wrapped in %d", size, len(wrapped))
		}
		if size > 1 && bytes.Contains(wrapped, material) {
			t.Errorf("%d bytes lie open in their wrapping", size)
		}
		got, err := k.Unwrap(testBinding, wrapped)
		if err != nil || !got.Equal(material) {
			t.Errorf("%d bytes unwrap to %d bytes, %v", size, len(got), err)
		}
	}
}

func TestWrappedBytesAreTiedToTheirPlace(t *testing.T) {
	k := mustKeyring(t)
	wrapped := mustWrap(t, k, testBinding, counting(0, 32))
	refused := func(name string, k *Keyring, b Binding, wrapped []byte) {
		t.Helper()
		if got, err := k.Unwrap(b, wrapped); got != nil || !errors.Is(err, ErrUnwrap) {
			t.Errorf("%s: unwraps to %d bytes, %v", name, len(got), err)
		}
	}
	alice := Binding{Region: "eu-1", Purpose: PurposeAccessKey, Name: "alice"}
	mallory := alice
	mallory.Name = "mallory"
	refused("another access key", k, mallory, mustWrap(t, k, alice, counting(0, 32)))
	for name, change := range map[string]func(*Binding){
		"region":                func(b *Binding) { b.Region = "eu-2" },
		"no region":             func(b *Binding) { b.Region = "" },
		"key":                   func(b *Binding) { b.KeyID = NewKeyID() },
		"version":               func(b *Binding) { b.VersionID = NewVersionID() },
		"key and version":       func(b *Binding) { b.KeyID, b.VersionID = KeyID(b.VersionID), VersionID(b.KeyID) },
		"purpose":               func(b *Binding) { b.Purpose = PurposeCanary },
		"no purpose":            func(b *Binding) { b.Purpose = "" },
		"algorithm":             func(b *Binding) { b.Algorithm++ },
		"no algorithm":          func(b *Binding) { b.Algorithm = 0 },
		"a name":                func(b *Binding) { b.Name = "LTAI1" },
		"name out of purpose":   func(b *Binding) { b.Purpose, b.Name = b.Purpose[:4], string(b.Purpose[4:]) },
		"region out of purpose": func(b *Binding) { b.Region, b.Purpose = b.Region+"m", b.Purpose[1:] },
	} {
		b := testBinding
		change(&b)
		refused("another "+name, k, b, wrapped)
	}
	for i := range wrapped {
		changed := bytes.Clone(wrapped)
		changed[i] ^= 1
		refused(fmt.Sprintf("byte %d changed", i), k, testBinding, changed)
		refused(fmt.Sprintf("cut to %d bytes", i), k, testBinding, wrapped[:i])
	}
	refused("a byte more", k, testBinding, append(bytes.Clone(wrapped), 0))
	refused("another keyring", mustKeyring(t), testBinding, wrapped)
}

func TestKeyringRotation(t *testing.T) {
	first := mustKeyring(t)
	material := counting(0, 32)
	old := mustWrap(t, first, testBinding, material)
	second, err := first.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if first.Epoch() != 1 || second.Epoch() != 2 {
		t.Fatalf("epochs %d and %d", first.Epoch(), second.Epoch())
	}
	wrapped := mustWrap(t, second, testBinding, material)
	if epoch, err := WrappedEpoch(wrapped); err != nil || epoch != 2 {
		t.Errorf("wrapped under epoch %d, %v", epoch, err)
	}
	if got, err := second.Unwrap(testBinding, old); err != nil || !got.Equal(material) {
		t.Errorf("the new keyring does not unwrap what the old one wrapped: %v", err)
	}
	if _, err := first.Unwrap(testBinding, wrapped); !errors.Is(err, ErrUnwrap) {
		t.Errorf("the old keyring on what the new one wrapped: %v", err)
	}
	// The epoch is bound: bytes of one epoch cannot claim another.
	claimed := bytes.Clone(old)
	claimed[4] = 2
	if _, err := second.Unwrap(testBinding, claimed); !errors.Is(err, ErrUnwrap) {
		t.Errorf("bytes of epoch 1 as epoch 2: %v", err)
	}
	first.Close()
	if got, err := second.Unwrap(testBinding, old); err != nil || !got.Equal(material) {
		t.Errorf("the new keyring leans on the old one: %v", err)
	}
}

func TestKeyringMarshal(t *testing.T) {
	k := mustKeyring(t)
	next, err := k.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	plain := next.Marshal()
	again, err := ParseKeyring(plain)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if again.Epoch() != 2 || !again.Marshal().Equal(plain) {
		t.Errorf("parsed again: epoch %d, same bytes %v", again.Epoch(), again.Marshal().Equal(plain))
	}
	plain.Wipe()
	wrapped := mustWrap(t, next, testBinding, counting(0, 32))
	if _, err := again.Unwrap(testBinding, wrapped); err != nil {
		t.Errorf("the parsed keyring does not unwrap, or leaned on the bytes it was parsed from: %v", err)
	}
}

func TestParseKeyringRefused(t *testing.T) {
	entry := func(epoch int) string { return referenceU32(epoch) + string(counting(byte(epoch), KeyBytes)) }
	for name, text := range map[string]string{
		"nothing":            "",
		"something else":     "not a keyring at all, but long enough to be one if anybody looked away for a moment",
		"no epochs":          keyringMagic + "\x00\x00",
		"magic only":         keyringMagic,
		"cut short":          (keyringMagic + "\x00\x01" + entry(1))[:40],
		"a byte more":        keyringMagic + "\x00\x01" + entry(1) + "x",
		"fewer than it says": keyringMagic + "\x00\x02" + entry(1),
		"epoch 0":            keyringMagic + "\x00\x01" + entry(0),
		"an epoch twice":     keyringMagic + "\x00\x02" + entry(1) + entry(1),
		"falling epochs":     keyringMagic + "\x00\x02" + entry(2) + entry(1),
		"another version":    "meridian/keyring/2\n\x00\x01" + entry(1),
	} {
		if k, err := ParseKeyring([]byte(text)); !errors.Is(err, ErrKeyring) {
			t.Errorf("%s: %v", name, err)
			if k != nil {
				k.Close()
			}
		}
	}
}

func TestClosedKeyring(t *testing.T) {
	k := mustKeyring(t)
	wrapped := mustWrap(t, k, testBinding, counting(0, 32))
	k.Close()
	k.Close()
	if _, err := k.Wrap(testBinding, nil); !errors.Is(err, ErrKeyringClosed) {
		t.Errorf("Wrap: %v", err)
	}
	if _, err := k.Unwrap(testBinding, wrapped); !errors.Is(err, ErrKeyringClosed) {
		t.Errorf("Unwrap: %v", err)
	}
	if _, err := k.Rotate(); !errors.Is(err, ErrKeyringClosed) {
		t.Errorf("Rotate: %v", err)
	}
	if k.Marshal() != nil || k.Epoch() != 0 {
		t.Error("a closed keyring still shows something")
	}
}

func TestKeyringClosedUnderLoad(t *testing.T) {
	k := mustKeyring(t)
	wrapped := mustWrap(t, k, testBinding, counting(0, 32))
	started := make(chan struct{}, 4)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				_, err := k.Unwrap(testBinding, wrapped)
				if i == 0 {
					started <- struct{}{}
				}
				if errors.Is(err, ErrKeyringClosed) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				k.Marshal().Wipe()
			}
		})
	}
	for range 4 {
		<-started
	}
	k.Close()
	wg.Wait()
}

func FuzzParseKeyring(f *testing.F) {
	f.Add([]byte(keyringMagic + "\x00\x01" + referenceU32(1) + string(counting(0, KeyBytes))))
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := ParseKeyring(text)
		if err != nil {
			return
		}
		defer k.Close()
		if !k.Marshal().Equal(text) {
			t.Fatalf("%q is written again as other bytes", text)
		}
	})
}

func FuzzUnwrap(f *testing.F) {
	k, err := ParseKeyring([]byte(keyringMagic + "\x00\x01" + referenceU32(1) + string(counting(0, KeyBytes))))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(k.Close)
	wrapped := mustWrap(f, k, testBinding, counting(0, 32))
	f.Add(wrapped)
	f.Add(wrapped[:WrapOverhead-1])
	f.Fuzz(func(t *testing.T, text []byte) {
		material, err := k.Unwrap(testBinding, text)
		if err != nil && !errors.Is(err, ErrUnwrap) {
			t.Fatalf("%x: %v is not ErrUnwrap", text, err)
		}
		if err == nil && len(material) != len(text)-WrapOverhead {
			t.Fatalf("%x: unwraps to %d bytes", text, len(material))
		}
	})
}
