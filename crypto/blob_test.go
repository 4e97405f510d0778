package crypto

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

var (
	testKey     = counting(0x40, KeyBytes)
	testHeader  = Header{Algorithm: AlgorithmXAES256GCM, Region: "eu-1", KeyID: KeyID(counting(0x10, 16)), VersionID: VersionID(counting(0x20, 16))}
	testContext = map[string]string{"tenant": "acme", "purpose": "invoice"}
)

func mustContext(t testing.TB, m map[string]string) Context {
	t.Helper()
	var pairs []Pair
	for name, value := range m {
		pairs = append(pairs, Pair{name, value})
	}
	c, err := NewContext(pairs)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mustSealBlob(t testing.TB, h Header, c Context, plaintext []byte) []byte {
	t.Helper()
	blob, err := SealBlob(nil, mustXAES(t, testKey), h, c, plaintext)
	if err != nil {
		t.Fatal(err)
	}
	return blob
}

// openBytes is the whole way from bytes to plaintext.
func openBytes(x Cipher, blob []byte, c Context) ([]byte, error) {
	b, err := ParseBlob(blob)
	if err != nil {
		return nil, err
	}
	return b.Open(nil, x, c)
}

func TestBlobRoundTrip(t *testing.T) {
	x := mustXAES(t, testKey)
	for _, size := range []int{0, 1, 32, 4096, 6144} {
		for _, context := range []map[string]string{nil, testContext} {
			c, plaintext := mustContext(t, context), counting(1, size)
			blob, err := SealBlob([]byte("before"), x, testHeader, c, plaintext)
			if err != nil || !bytes.HasPrefix(blob, []byte("before")) {
				t.Fatalf("size %d: sealed to %x, %v", size, blob, err)
			}
			blob = blob[len("before"):]
			if len(blob) != BlobBytes(testHeader.Region, size) {
				t.Errorf("size %d: %d bytes, BlobBytes says %d", size, len(blob), BlobBytes(testHeader.Region, size))
			}
			b, err := ParseBlob(blob)
			if err != nil || b.Header != testHeader || b.PlaintextBytes() != size {
				t.Fatalf("size %d: parsed to %+v with %d bytes, %v", size, b.Header, b.PlaintextBytes(), err)
			}
			got, err := b.Open([]byte("before"), x, c)
			if err != nil || !bytes.Equal(got, append([]byte("before"), plaintext...)) {
				t.Errorf("size %d: opened to %x, %v", size, got, err)
			}

			// By the specification, with the independent implementation.
			header := referenceBlobHeader(testHeader.Region, testHeader.KeyID, testHeader.VersionID)
			rest, ok := bytes.CutPrefix(blob, []byte(header))
			if !ok {
				t.Fatalf("size %d: %x does not start with the header %x", size, blob, header)
			}
			got, err = referenceOpen(testKey, rest[:NonceBytes], rest[NonceBytes:], referenceBlobAAD(header, context))
			if err != nil || !bytes.Equal(got, plaintext) {
				t.Errorf("size %d: the reference opens it to %x, %v", size, got, err)
			}
		}
	}
}

func TestBlobEveryChangedByteIsRefused(t *testing.T) {
	x, c := mustXAES(t, testKey), mustContext(t, testContext)
	blob := mustSealBlob(t, testHeader, c, []byte("plaintext"))
	for i := range blob {
		for bit := range 8 {
			changed := bytes.Clone(blob)
			changed[i] ^= 1 << bit
			got, err := openBytes(x, changed, c)
			if got != nil || !errors.Is(err, ErrOpen) && !errors.Is(err, ErrNotBlob) {
				t.Errorf("bit %d of byte %d flipped: opens to %q, %v", bit, i, got, err)
			}
		}
	}
}

func TestBlobEveryTruncationIsRefused(t *testing.T) {
	x, c := mustXAES(t, testKey), mustContext(t, testContext)
	blob := mustSealBlob(t, testHeader, c, []byte("plaintext"))
	for n := range blob {
		got, err := openBytes(x, blob[:n], c)
		if got != nil || !errors.Is(err, ErrOpen) && !errors.Is(err, ErrNotBlob) {
			t.Errorf("cut to %d bytes: opens to %q, %v", n, got, err)
		}
		if n > 0 {
			if got, err := openBytes(x, blob[n:], c); got != nil || err == nil {
				t.Errorf("without its first %d bytes: opens to %q, %v", n, got, err)
			}
		}
	}
	for _, tail := range []string{"\x00", "\n", string(blob)} {
		if got, err := openBytes(x, append(bytes.Clone(blob), tail...), c); got != nil || err == nil {
			t.Errorf("with %d bytes behind it: opens to %q, %v", len(tail), got, err)
		}
	}
}

func TestBlobIsTiedToItsHeader(t *testing.T) {
	x, c := mustXAES(t, testKey), mustContext(t, testContext)
	blob := mustSealBlob(t, testHeader, c, []byte("plaintext"))
	sealed := blob[len(blob)-len("plaintext")-Overhead:]
	for name, change := range map[string]func(*Header){
		"region of the same length": func(h *Header) { h.Region = "eu-2" },
		"region of another length":  func(h *Header) { h.Region = "eu-10" },
		"key":                       func(h *Header) { h.KeyID = NewKeyID() },
		"version":                   func(h *Header) { h.VersionID = NewVersionID() },
		"key and version swapped":   func(h *Header) { h.KeyID, h.VersionID = KeyID(h.VersionID), VersionID(h.KeyID) },
	} {
		h := testHeader
		change(&h)
		foreign := append([]byte(referenceBlobHeader(h.Region, h.KeyID, h.VersionID)), sealed...)
		b, err := ParseBlob(foreign)
		if err != nil || b.Header != h {
			t.Fatalf("%s: parses to %+v, %v", name, b.Header, err)
		}
		if got, err := b.Open(nil, x, c); got != nil || !errors.Is(err, ErrOpen) {
			t.Errorf("%s exchanged: opens to %q, %v", name, got, err)
		}
	}
}

func TestBlobIsTiedToItsContext(t *testing.T) {
	x := mustXAES(t, testKey)
	contexts := []map[string]string{
		nil,
		{"a": "b"},
		{"b": "a"},
		{"a": ""},
		{"ab": ""},
		{"a": "b", "c": "d"},
		{"a": "d", "c": "b"},
		{"a": "b\x00\x00\x00\x01c\x00\x00\x00\x01d"},
		{"A": "b"},
	}
	for i, sealedIn := range contexts {
		blob := mustSealBlob(t, testHeader, mustContext(t, sealedIn), []byte("plaintext"))
		for j, openedIn := range contexts {
			got, err := openBytes(x, blob, mustContext(t, openedIn))
			if i == j && (err != nil || string(got) != "plaintext") {
				t.Errorf("sealed and opened in %q: %q, %v", sealedIn, got, err)
			}
			if i != j && (got != nil || !errors.Is(err, ErrOpen)) {
				t.Errorf("sealed in %q, opened in %q: %q, %v", sealedIn, openedIn, got, err)
			}
		}
	}
}

func TestBlobIsTiedToItsKey(t *testing.T) {
	blob := mustSealBlob(t, testHeader, Context{}, []byte("plaintext"))
	if got, err := openBytes(mustXAES(t, counting(1, KeyBytes)), blob, Context{}); got != nil || !errors.Is(err, ErrOpen) {
		t.Errorf("under another key: %q, %v", got, err)
	}
}

func TestParseBlobRefusesForeignBytes(t *testing.T) {
	blob := mustSealBlob(t, testHeader, Context{}, []byte("plaintext"))
	with := func(i int, b ...byte) []byte { return slices.Replace(bytes.Clone(blob), i, i+len(b), b...) }
	for _, test := range []struct {
		name, reason string
		blob         []byte
	}{
		{"nothing", "empty", nil},
		{"another format", "format 0x02 is unknown", with(0, 2)},
		{"text", "format 0x68 is unknown", []byte("hello, this is not a blob but text which is long enough to be one, or so it hopes; yes, it is")},
		{"a short start", "shorter than", blob[:40]},
		{"the algorithm of a key pair", "algorithm 0x03 is unknown", with(1, 3)},
		{"an algorithm that is none", "algorithm 0x08 is unknown", with(1, 8)},
		{"no algorithm", "algorithm 0x00 is unknown", with(1, 0)},
		{"a reserved flag", "flags 0x80", with(2, 0x80)},
		{"no region", "no region", with(3, 0)},
		{"a region longer than all", "cut short", with(3, 200)},
		{"a region in upper case", "no region", with(4, 'E')},
		{"a region with a NUL", "no region", with(5, 0)},
		{"a hyphen first", "no region", with(4, '-')},
		{"too long", "longer than 8192", append(bytes.Clone(blob), make([]byte, MaxBlobBytes)...)},
		{"region of 64", "no region", []byte(referenceBlobHeader(strings.Repeat("a", 64), testHeader.KeyID, testHeader.VersionID) + strings.Repeat("x", 60))},
	} {
		b, err := ParseBlob(test.blob)
		if !errors.Is(err, ErrNotBlob) || !strings.Contains(fmt.Sprint(err), test.reason) {
			t.Errorf("%s: %v, want %q in the reason", test.name, err, test.reason)
		}
		if b.Header != (Header{}) || b.header != nil || b.sealed != nil {
			t.Errorf("%s: refused and yet parsed", test.name)
		}
	}
}

func TestBlobSizeLimits(t *testing.T) {
	x := mustXAES(t, testKey)
	h := testHeader
	h.Region = strings.Repeat("r", MaxRegionBytes)
	room := MaxBlobBytes - BlobBytes(h.Region, 0)
	blob, err := SealBlob(nil, x, h, Context{}, make([]byte, room))
	if err != nil || len(blob) != MaxBlobBytes {
		t.Fatalf("the largest blob: %d bytes, %v", len(blob), err)
	}
	if got, err := openBytes(x, blob, Context{}); err != nil || len(got) != room {
		t.Errorf("the largest blob opens to %d bytes, %v", len(got), err)
	}
	if _, err := SealBlob(nil, x, h, Context{}, make([]byte, room+1)); !errors.Is(err, ErrBlobTooLarge) {
		t.Errorf("one byte more: %v", err)
	}
	if room < 6144 {
		t.Errorf("room for %d bytes of plaintext, a region may be set to take 6144", room)
	}
}

func TestSealBlobRefusesImpossibleHeaders(t *testing.T) {
	x := mustXAES(t, testKey)
	for name, change := range map[string]func(*Header){
		"no algorithm":     func(h *Header) { h.Algorithm = 0 },
		"another cipher's": func(h *Header) { h.Algorithm = AlgorithmXSM4GCM },
		"a key pair's":     func(h *Header) { h.Algorithm = AlgorithmRSA2048 },
		"no region":        func(h *Header) { h.Region = "" },
		"a long region":    func(h *Header) { h.Region = strings.Repeat("r", 64) },
		"a region in capitals": func(h *Header) {
			h.Region = "EU-1"
		},
	} {
		h := testHeader
		change(&h)
		if blob, err := SealBlob(nil, x, h, Context{}, nil); err == nil {
			t.Errorf("%s: sealed to %x", name, blob)
		}
	}
}

func TestSealBlobOverlapIsNeverSilent(t *testing.T) {
	x := mustXAES(t, testKey)
	for _, offset := range []int{0, 1, 10, 40, 52, 64, 80, 100, 200} {
		buffer := make([]byte, 400)
		plaintext := buffer[offset:][:50]
		copy(plaintext, counting(7, 50))
		blob, panicked := func() (blob []byte, panicked bool) {
			defer func() { panicked = recover() != nil }()
			blob, err := SealBlob(buffer[:0], x, testHeader, Context{}, plaintext)
			if err != nil {
				t.Error(err)
			}
			return blob, false
		}()
		if panicked {
			continue
		}
		if got, err := openBytes(x, blob, Context{}); err != nil || !bytes.Equal(got, counting(7, 50)) {
			t.Errorf("plaintext at byte %d of the room behind dst: sealed something else: %x, %v", offset, got, err)
		}
	}
}

func TestHotPathAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	x, c := mustXAES(t, testKey), mustContext(t, testContext)
	plaintext, dst := make([]byte, 4096), make([]byte, 0, MaxBlobBytes)
	blob := mustSealBlob(t, testHeader, c, plaintext)
	// The subkey's AES schedule and its GCM, which only the standard library can make; the region's name when parsing.
	// The pool may lose its contents to the collector at any time, so allow one more on average.
	if n := testing.AllocsPerRun(500, func() { _, _ = SealBlob(dst, x, testHeader, c, plaintext) }); n > 3 {
		t.Errorf("SealBlob allocates %v times", n)
	}
	if n := testing.AllocsPerRun(500, func() {
		b, _ := ParseBlob(blob)
		_, _ = b.Open(dst, x, c)
	}); n > 4 {
		t.Errorf("ParseBlob and Open allocate %v times", n)
	}
}

func FuzzParseBlob(f *testing.F) {
	f.Add(mustSealBlob(f, testHeader, mustContext(f, testContext), []byte("plaintext")))
	f.Add(mustSealBlob(f, testHeader, Context{}, nil))
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := ParseBlob(text)
		if err != nil {
			if !errors.Is(err, ErrNotBlob) {
				t.Fatalf("%x: %v is not ErrNotBlob", text, err)
			}
			return
		}
		// What was read is all there is: written again it gives the same bytes.
		if !b.Algorithm.Symmetric() || !ValidRegion(b.Region) {
			t.Fatalf("%x: parsed to %+v", text, b.Header)
		}
		header := referenceHeader(b.Header)
		if again := slices.Concat([]byte(header), b.sealed); !bytes.Equal(again, text) {
			t.Fatalf("%x: is %x when written again", text, again)
		}
		if b.PlaintextBytes() != len(b.sealed)-Overhead || len(b.sealed) < Overhead {
			t.Fatalf("%x: %d bytes of plaintext", text, b.PlaintextBytes())
		}
		if b.Algorithm.Available() != nil {
			return
		}
		// Opening agrees with the reference.
		open := referenceOpen
		if b.Algorithm == AlgorithmXSM4GCM {
			open = referenceXSM4Open
		}
		material := testKey[:b.Algorithm.MaterialBytes()]
		nonce, sealed := b.sealed[:NonceBytes], b.sealed[NonceBytes:]
		want, wantErr := open(material, nonce, sealed, referenceBlobAAD(header, nil))
		got, err := b.Open(nil, mustCipher(t, b.Algorithm, material), Context{})
		if (err == nil) != (wantErr == nil) || !bytes.Equal(got, want) {
			t.Fatalf("%x: opens to %x, %v; the reference says %x, %v", text, got, err, want, wantErr)
		}
	})
}
