package crypto

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew; a change in them is a new format")

// goldenBlob is a blob that the reference sealed under a fixed nonce.
type goldenBlob struct {
	Name      string `json:"name"`
	Algorithm byte   `json:"algorithm,omitempty"` // none: 1
	Material  string `json:"material"`            // hex
	Nonce     string `json:"nonce"`               // hex
	Region    string `json:"region"`
	KeyID     string `json:"key_id"`
	VersionID string `json:"version_id"`
	Context   string `json:"context"`   // JSON text
	Plaintext string `json:"plaintext"` // hex
	Blob      string `json:"blob"`      // Base64
}

var goldenBlobs = []goldenBlob{
	{Name: "no context", Region: "cn-hangzhou", Plaintext: "48656c6c6f20776f726c64"},
	{Name: "empty plaintext", Region: "a", Plaintext: ""},
	{Name: "one pair", Region: "eu-central-1", Context: `{"tenant":"acme"}`, Plaintext: "00"},
	{Name: "order, blanks and escapes", Region: "us-east-1", Context: " { \"b\" : \"\\u0026\", \"a\":\"\\ud83d\\ude00\",\n\"A\":\"\" }", Plaintext: strings.Repeat("ff", 32)},
	{Name: "largest plaintext of the default setting", Region: strings.Repeat("r", 63), Context: `{"é":"e\u0301"}`, Plaintext: strings.Repeat("5a", 4096)},
}

// goldenSM4Blobs are blobs of XSM4-GCM.
var goldenSM4Blobs = []goldenBlob{
	{Name: "no context", Region: "cn-hangzhou", Plaintext: "48656c6c6f20776f726c64"},
	{Name: "empty plaintext", Region: "a", Plaintext: ""},
	{Name: "two pairs", Region: "cn-shanghai", Context: `{"tenant":"acme","purpose":"invoice"}`, Plaintext: strings.Repeat("00", 16)},
	{Name: "largest plaintext of the default setting", Region: strings.Repeat("r", 63), Context: `{"é":"e\u0301"}`, Plaintext: strings.Repeat("5a", 4096)},
}

func TestGoldenBlobs(t *testing.T) {
	testGoldenBlobs(t, "blobs.json", AlgorithmXAES256GCM, goldenBlobs)
}

func TestGoldenSM4Blobs(t *testing.T) {
	skipUnlessAvailable(t, AlgorithmXSM4GCM)
	testGoldenBlobs(t, "blobs-sm4.json", AlgorithmXSM4GCM, goldenSM4Blobs)
}

func testGoldenBlobs(t *testing.T, name string, a Algorithm, goldenBlobs []goldenBlob) {
	path := filepath.Join("testdata", name)
	if *update {
		for i := range goldenBlobs {
			g := &goldenBlobs[i]
			if a != AlgorithmXAES256GCM {
				g.Algorithm = byte(a)
			}
			g.Material = hex.EncodeToString(counting(byte(16*i), a.MaterialBytes()))
			g.Nonce = hex.EncodeToString(counting(byte(0x80+i), NonceBytes))
			g.KeyID = KeyID(counting(byte(0xa0+i), 16)).String()
			g.VersionID = VersionID(counting(byte(0xc0+i), 16)).String()
			g.Blob = base64.StdEncoding.EncodeToString(g.seal(t))
		}
		writeGolden(t, path, goldenBlobs)
	}
	var blobs []goldenBlob
	readGolden(t, path, &blobs)
	if len(blobs) != len(goldenBlobs) {
		t.Errorf("%s has %d blobs, want %d", path, len(blobs), len(goldenBlobs))
	}
	for _, g := range blobs {
		blob, err := base64.StdEncoding.DecodeString(g.Blob)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(g.seal(t), blob) {
			t.Errorf("%s: the reference seals other bytes", g.Name)
		}
		c, err := ParseContext([]byte(g.Context))
		if err != nil {
			t.Fatalf("%s: %v", g.Name, err)
		}
		b, err := ParseBlob(blob)
		if err != nil {
			t.Errorf("%s: %v", g.Name, err)
			continue
		}
		if b.Algorithm != a || b.Region != g.Region || b.KeyID.String() != g.KeyID || b.VersionID.String() != g.VersionID {
			t.Errorf("%s: parsed to %+v", g.Name, b.Header)
		}
		got, err := b.Open(nil, mustCipher(t, a, mustHex(t, g.Material)), c)
		if err != nil || hex.EncodeToString(got) != g.Plaintext {
			t.Errorf("%s: opens to %x, %v", g.Name, got, err)
		}
	}
}

// seal makes the blob by the reference.
func (g goldenBlob) seal(t *testing.T) []byte {
	t.Helper()
	id, ok := ParseKeyID(g.KeyID)
	version, okVersion := ParseVersionID(g.VersionID)
	if !ok || !okVersion {
		t.Fatalf("%s: ids %q, %q", g.Name, g.KeyID, g.VersionID)
	}
	context, ok := naiveContext([]byte(g.Context))
	if !ok {
		t.Fatalf("%s: context %q", g.Name, g.Context)
	}
	h := Header{AlgorithmXAES256GCM, g.Region, id, version}
	if g.Algorithm != 0 {
		h.Algorithm = Algorithm(g.Algorithm)
	}
	return referenceBlob(mustHex(t, g.Material), mustHex(t, g.Nonce), h, context, mustHex(t, g.Plaintext))
}

// goldenKeyring is a keyring of two epochs and bytes that each of them wrapped.
type goldenKeyring struct {
	Keyring string          `json:"keyring"` // plain form, hex
	Wrapped []goldenWrapped `json:"wrapped"`
}

type goldenWrapped struct {
	Epoch     uint32 `json:"epoch"`
	KEK       string `json:"kek"`   // hex
	Nonce     string `json:"nonce"` // hex
	Region    string `json:"region"`
	KeyID     string `json:"key_id"`
	VersionID string `json:"version_id"`
	Algorithm byte   `json:"algorithm"`
	Purpose   string `json:"purpose"`
	Name      string `json:"name"`
	Material  string `json:"material"` // hex
	Wrapped   string `json:"wrapped"`  // hex
}

func TestGoldenKeyring(t *testing.T) {
	path := filepath.Join("testdata", "keyring.json")
	if *update {
		keks := [][]byte{counting(0x20, KeyBytes), counting(0x60, KeyBytes)}
		g := goldenKeyring{Keyring: hex.EncodeToString([]byte("meridian/keyring/1\n\x00\x02" + referenceU32(1) + string(keks[0]) + referenceU32(7) + string(keks[1])))}
		for i, b := range []Binding{
			MaterialOf("eu-central-1", KeyID(counting(0xa0, 16)), VersionID(counting(0xc0, 16)), AlgorithmXAES256GCM),
			{Region: "eu-central-1", Purpose: PurposeAccessKey, Name: "LTAI5tExample"},
		} {
			w := goldenWrapped{
				Epoch: []uint32{1, 7}[i], KEK: hex.EncodeToString(keks[i]), Nonce: hex.EncodeToString(counting(byte(0x90+i), NonceBytes)),
				Region: b.Region, KeyID: b.KeyID.String(), VersionID: b.VersionID.String(), Algorithm: byte(b.Algorithm),
				Purpose: string(b.Purpose), Name: b.Name, Material: hex.EncodeToString(counting(byte(i), 32)),
			}
			w.Wrapped = hex.EncodeToString(w.wrap(t))
			g.Wrapped = append(g.Wrapped, w)
		}
		writeGolden(t, path, g)
	}
	var g goldenKeyring
	readGolden(t, path, &g)
	k, err := ParseKeyring(mustHex(t, g.Keyring))
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	if k.Epoch() != 7 || hex.EncodeToString(k.Marshal()) != g.Keyring {
		t.Errorf("epoch %d, and is written again as other bytes", k.Epoch())
	}
	for _, w := range g.Wrapped {
		if got := hex.EncodeToString(w.wrap(t)); got != w.Wrapped {
			t.Errorf("epoch %d: the reference wraps to %s", w.Epoch, got)
		}
		got, err := k.Unwrap(w.binding(t), mustHex(t, w.Wrapped))
		if err != nil || hex.EncodeToString(got) != w.Material {
			t.Errorf("epoch %d: unwraps to %d bytes, %v", w.Epoch, len(got), err)
		}
	}
}

func (w goldenWrapped) binding(t *testing.T) Binding {
	t.Helper()
	id, ok := ParseKeyID(w.KeyID)
	version, okVersion := ParseVersionID(w.VersionID)
	if !ok || !okVersion {
		t.Fatalf("ids %q, %q", w.KeyID, w.VersionID)
	}
	return Binding{w.Region, id, version, Algorithm(w.Algorithm), Purpose(w.Purpose), w.Name}
}

// wrap follows the specification at Binding, by the reference.
func (w goldenWrapped) wrap(t *testing.T) []byte {
	t.Helper()
	b := w.binding(t)
	header := "\x01" + referenceU32(int(w.Epoch))
	aad := "meridian/wrapped/1" + header + string(rune(b.Algorithm)) + referenceU32(len(b.Region)) + b.Region + string(b.KeyID[:]) + string(b.VersionID[:]) +
		referenceU32(len(b.Purpose)) + string(b.Purpose) + referenceU32(len(b.Name)) + b.Name
	nonce := mustHex(t, w.Nonce)
	return []byte(header + string(nonce) + string(referenceSeal(mustHex(t, w.KEK), nonce, mustHex(t, w.Material), []byte(aad))))
}

func mustHex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func readGolden(t *testing.T, path string, to any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, to); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func writeGolden(t *testing.T, path string, from any) {
	t.Helper()
	text, err := json.MarshalIndent(from, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}
