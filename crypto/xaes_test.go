package crypto

import (
	"bytes"
	"crypto/fips140"
	"crypto/sha3"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// The vectors of C2SP XAES-256-GCM: the first has MSB(L) = 0, the second 1.
var xaesVectors = []struct {
	key                                         byte
	l, k1, m1, m2, kx, nx, aad, plain, expected string
}{
	{
		key: 0x01, plain: "XAES-256-GCM", aad: "",
		l: "7298caa565031eadc6ce23d23ea66378", k1: "e531954aca063d5b8d9c47a47d4cc6f0",
		m1: "000158004142434445464748494a4b4c", m2: "000258004142434445464748494a4b4c",
		kx: "c8612c9ed53fe43e8e005b828a1631a0bbcb6ab2f46514ec4f439fcfd0fa969b", nx: "4d4e4f505152535455565758",
		expected: "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271",
	},
	{
		key: 0x03, plain: "XAES-256-GCM", aad: "c2sp.org/XAES-256-GCM",
		l: "91c08762876dccf9ba204a33768fa5fe", k1: "23810ec50edb99f374409466ed1f4b7b",
		m1: "000158004142434445464748494a4b4c", m2: "000258004142434445464748494a4b4c",
		kx: "e9c621d4cdd9b11b00a6427ad7e559aeedd66b3857646677748f8ca796cb3fd8", nx: "4d4e4f505152535455565758",
		expected: "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d",
	},
}

func TestXAESOpensPublishedVectors(t *testing.T) {
	nonce := []byte("ABCDEFGHIJKLMNOPQRSTUVWX")
	for _, v := range xaesVectors {
		key := bytes.Repeat([]byte{v.key}, KeyBytes)
		ref := newReferenceXAES(key, nonce)
		for _, step := range []struct {
			name, want string
			got        []byte
		}{{"L", v.l, ref.l}, {"K1", v.k1, ref.k1}, {"M1", v.m1, ref.m1}, {"M2", v.m2, ref.m2}, {"Kx", v.kx, ref.kx}, {"Nx", v.nx, ref.nx}} {
			if got := hex.EncodeToString(step.got); got != step.want {
				t.Errorf("key %02x: reference %s = %s, published %s", v.key, step.name, got, step.want)
			}
		}
		if got := hex.EncodeToString(referenceSeal(key, nonce, []byte(v.plain), []byte(v.aad))); got != v.expected {
			t.Errorf("key %02x: reference seals to %s, published %s", v.key, got, v.expected)
		}

		x := mustXAES(t, key)
		if got := hex.EncodeToString(x.k1[:]); got != v.k1 {
			t.Errorf("key %02x: K1 = %s, published %s", v.key, got, v.k1)
		}
		sealed, _ := hex.DecodeString(v.expected)
		plaintext, err := x.Open(nil, append(bytes.Clone(nonce), sealed...), []byte(v.aad))
		if err != nil || string(plaintext) != v.plain {
			t.Errorf("key %02x: opened %q, %v; published %q", v.key, plaintext, err, v.plain)
		}
	}
}

// TestXAESAccumulatedVectors runs the accumulated tests of C2SP XAES-256-GCM. The reference seals, since only it can
// take the nonces of the test; the package opens each message.
func TestXAESAccumulatedVectors(t *testing.T) {
	checks := []struct {
		after int
		want  string
	}{
		{10_000, "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939"},
		{1_000_000, "2163ae1445985a30b60585ee67daa55674df06901b890593e824b8a7c885ab15"},
	}
	if testing.Short() {
		checks = checks[:1]
	}
	for _, check := range checks {
		t.Run(fmt.Sprint(check.after), func(t *testing.T) {
			t.Parallel()
			random, hash := sha3.NewSHAKE128(), sha3.NewSHAKE128()
			var buffer [24 + 255 + 16 + 255]byte
			key, length := make([]byte, KeyBytes), make([]byte, 1)
			message := make([]byte, 0, len(buffer))
			var opened []byte
			for i := range check.after {
				random.Read(key)
				message = message[:NonceBytes]
				random.Read(message)
				random.Read(length)
				plaintext := buffer[:length[0]]
				random.Read(plaintext)
				random.Read(length)
				aad := buffer[255:][:length[0]]
				random.Read(aad)

				sealed := referenceSeal(key, message, plaintext, aad)
				hash.Write(sealed)

				x, err := NewXAES(key)
				if err != nil {
					t.Fatal(err)
				}
				opened, err = x.Open(opened[:0], append(message, sealed...), aad)
				if err != nil || !bytes.Equal(opened, plaintext) {
					t.Fatalf("message %d opens to %x, %v; sealed was %x", i, opened, err, plaintext)
				}
			}
			sum := make([]byte, 32)
			hash.Read(sum)
			if got := hex.EncodeToString(sum); got != check.want {
				t.Errorf("%d messages hash to %s, published %s", check.after, got, check.want)
			}
		})
	}
}

func TestXAESSealOpensWithReference(t *testing.T) {
	for _, size := range []int{0, 1, 15, 16, 17, 32, 4096, 6144} {
		for _, aadSize := range []int{0, 1, 16, 300} {
			key, plaintext, aad := counting(byte(size), KeyBytes), counting(3, size), counting(5, aadSize)
			prefix := []byte("before")
			out := mustXAES(t, key).Seal(prefix, plaintext, aad)
			if !bytes.HasPrefix(out, prefix) {
				t.Fatalf("size %d: the bytes before were lost", size)
			}
			sealed := out[len(prefix):]
			if len(sealed) != size+Overhead {
				t.Fatalf("size %d: sealed to %d bytes", size, len(sealed))
			}
			got, err := referenceOpen(key, sealed[:NonceBytes], sealed[NonceBytes:], aad)
			if err != nil || !bytes.Equal(got, plaintext) {
				t.Errorf("size %d, aad %d: the reference opens it to %x, %v", size, aadSize, got, err)
			}
		}
	}
}

func TestXAESNoncesDiffer(t *testing.T) {
	x := mustXAES(t, counting(0, KeyBytes))
	first, second := map[[halfNonce]byte]bool{}, map[[halfNonce]byte]bool{}
	for range 1000 {
		sealed := x.Seal(nil, nil, nil)
		first[[halfNonce]byte(sealed)] = true
		second[[halfNonce]byte(sealed[halfNonce:])] = true
	}
	if len(first) != 1000 || len(second) != 1000 {
		t.Errorf("1000 messages have %d first and %d second halves of nonces", len(first), len(second))
	}
}

func TestXAESRefusesChangedMessages(t *testing.T) {
	key, aad := counting(0, KeyBytes), []byte("aad")
	x := mustXAES(t, key)
	sealed := x.Seal(nil, []byte("plaintext"), aad)
	dst := []byte("before")
	refused := func(what string, x *XAES, sealed, aad []byte) {
		t.Helper()
		if got, err := x.Open(dst, sealed, aad); !errors.Is(err, ErrOpen) || got != nil {
			t.Errorf("%s: opens to %q, %v", what, got, err)
		}
	}
	for i := range sealed {
		for bit := range 8 {
			changed := bytes.Clone(sealed)
			changed[i] ^= 1 << bit
			refused(fmt.Sprintf("bit %d of byte %d flipped", bit, i), x, changed, aad)
		}
		refused(fmt.Sprintf("cut to %d bytes", i), x, sealed[:i], aad)
	}
	refused("a byte more", x, append(bytes.Clone(sealed), 0), aad)
	refused("no aad", x, sealed, nil)
	refused("other aad", x, sealed, []byte("aae"))
	refused("other key", mustXAES(t, counting(1, KeyBytes)), sealed, aad)
	if got, err := x.Open(dst, sealed, aad); err != nil || string(got) != "beforeplaintext" {
		t.Errorf("the message itself opens to %q, %v", got, err)
	}
}

func TestXAESRefusesKeysOfOtherSizes(t *testing.T) {
	for _, size := range []int{0, 16, 24, 31, 33, 64} {
		if _, err := NewXAES(make([]byte, size)); err == nil {
			t.Errorf("a key of %d bytes was taken", size)
		}
	}
}

func TestXAESOverlapIsNeverSilent(t *testing.T) {
	x := mustXAES(t, counting(0, KeyBytes))
	buffer := make([]byte, 100)
	copy(buffer, "a plaintext that lies where its ciphertext would go")
	plaintext := bytes.Clone(buffer[:50])
	sealed, panicked := func() (sealed []byte, panicked bool) {
		defer func() { panicked = recover() != nil }()
		return x.Seal(buffer[:0], buffer[:50], nil), false
	}()
	if panicked {
		return
	}
	if got, err := x.Open(nil, sealed, nil); err != nil || !bytes.Equal(got, plaintext) {
		t.Errorf("sealed something else: %q, %v", got, err)
	}
}

func TestXAESConcurrentUse(t *testing.T) {
	x := mustXAES(t, counting(0, KeyBytes))
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			plaintext := bytes.Repeat([]byte{byte(worker)}, 100)
			for range 200 {
				got, err := x.Open(nil, x.Seal(nil, plaintext, plaintext[:worker]), plaintext[:worker])
				if err != nil || !bytes.Equal(got, plaintext) {
					t.Errorf("worker %d: opens to %x, %v", worker, got, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// TestFIPSOnlyMode runs the package's tests again in a process in which the Go Cryptographic Module refuses whatever
// FIPS 140-3 does not approve.
func TestFIPSOnlyMode(t *testing.T) {
	if fips140.Enforced() {
		t.Log("this is that process")
		return
	}
	if raceDetector {
		t.Skip("once without it is enough")
	}
	cmd := exec.Command(os.Args[0], "-test.run=.", "-test.short", "-test.count=1")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS") {
		t.Errorf("with GODEBUG=fips140=only: %v\n%s", err, out)
	}
}
