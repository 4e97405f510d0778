package main

import (
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"meridian/cluster/api"
	"meridian/crypto"
)

// apiParam is a parameter as the action table of the server has it.
func apiParam(t *testing.T, action, name string) api.ParamSpec {
	t.Helper()
	for _, a := range api.Actions() {
		for _, p := range a.Params {
			if a.Name == action && p.Name == name {
				return p
			}
		}
	}
	t.Fatalf("%s has no parameter %s", action, name)
	return api.ParamSpec{}
}

// What the command line knows of the API's words and limits is what the API has.
func TestWordsOfTheAPI(t *testing.T) {
	for _, tc := range []struct {
		action, param string
		own           []string
	}{
		{"CreateKey", "KeySpec", keySpecNames()},
		{"CreateKey", "KeyUsage", apiWords(usageWords)},
		{"CreateKey", "Origin", apiWords(originWords)},
		{"AsymmetricSign", "Algorithm", signing.allSchemes()},
		{"AsymmetricEncrypt", "Algorithm", encrypting.allSchemes()},
		{"ExportDataKey", "WrappingKeySpec", exportSpecs},
		{"GetParametersForImport", "WrappingAlgorithm", append(apiWords(wrappingWords), string(crypto.SM2PKE))}, // SM2PKE is refused
	} {
		want := slices.Sorted(slices.Values(apiParam(t, tc.action, tc.param).Enum))
		if got := slices.Sorted(slices.Values(tc.own)); !slices.Equal(got, want) {
			t.Errorf("%s of %s: here %q, there %q", tc.param, tc.action, got, want)
		}
	}
	if p := apiParam(t, "UpdateRotationPolicy", "RotationInterval"); p.Min != int64(minRotation/time.Second) || p.Max != int64(maxRotation/time.Second) {
		t.Errorf("rotation is from %d s to %d s there", p.Min, p.Max)
	}
	if p := apiParam(t, "SetKeyPolicy", "Policy"); p.Max != maxPolicyBytes {
		t.Errorf("a policy has up to %d bytes there", p.Max)
	}
}

func apiWords(words []word) (all []string) {
	for _, w := range words {
		all = append(all, w.api)
	}
	return all
}

func TestCheckRotation(t *testing.T) {
	for text, good := range map[string]bool{
		"7d": true, "730d": true, "168h": true, "17520h": true, "604800s": true, "10080m": true, "63072000s": true,
		"6d": false, "731d": false, "167h": false, "17521h": false, "604799s": false, "63072001s": false,
		"": false, "d": false, "30": false, "07d": false, "-7d": false, "7.5d": false, "7 d": false, "7w": false, "99999999999d": false, "2147483647d": false,
	} {
		if err := checkRotation("--every", text); (err == nil) != good || err != nil && exitOf(err) != exitUsage {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestParseExpiry(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"2026-11-28":                "2026-11-28T23:59:59Z",
		"2027-12-31":                "2027-12-31T23:59:59Z",
		"2026-11-28T12:00:01Z":      "2026-11-28T12:00:01Z",
		"2026-11-28T20:00:01+08:00": "2026-11-28T12:00:01Z",
		"1d":                        "2026-11-29T12:00:00Z",
		"365d":                      "2027-11-28T12:00:00Z",
		"1s":                        "2026-11-28T12:00:01Z",
		"12h":                       "2026-11-29T00:00:00Z",
	} {
		if at, err := parseExpiry(text, now); err != nil || at.UTC().Format(time.RFC3339) != want {
			t.Errorf("%q: %s, %v; want %s", text, at, err, want)
		}
	}
	for _, text := range []string{"2026-11-27", "2026-11-28T12:00:00Z", "0d", "0s", "-1h", "soon", "d", "1.5d", "99999d", "2027-02-30", "2027-12-31 12:00"} {
		if at, err := parseExpiry(text, now); exitOf(err) != exitUsage {
			t.Errorf("%q: %s, %v", text, at, err)
		}
	}
}

// Each form of a digest, and one byte too few and too many.
func TestGivenDigest(t *testing.T) {
	digest := []byte("\x00\xff thirty-two bytes of a digest.\n")[:crypto.DigestBytes]
	text := hex.EncodeToString(digest)
	write := func(data string) string {
		path := filepath.Join(t.TempDir(), "digest")
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, f := range map[string]messageFlags{
		"hex": {digest: text}, "upper hex": {digest: strings.ToUpper(text)}, "bytes": {digestFile: write(string(digest))},
		"hex in a file": {digestFile: write(text)}, "with a line end": {digestFile: write(text + "\n")}, "of sha256sum": {digestFile: write(text + "  app.tar.gz\n")},
	} {
		if got, err := f.given(); err != nil || string(got) != string(digest) {
			t.Errorf("%s: %x, %v", name, got, err)
		}
	}
	for name, f := range map[string]messageFlags{
		"short": {digest: text[2:]}, "long": {digest: text + "00"}, "half a byte": {digest: text[1:]}, "no hex": {digest: "g" + text[1:]},
		"bytes, short": {digestFile: write(string(digest[1:]))}, "bytes, long": {digestFile: write(string(digest) + "\x00")},
		"empty": {digestFile: write("")}, "none": {digestFile: "none"}, "both": {digest: text, digestFile: write(text)}, "and a message": {in: "x", digest: text},
	} {
		if got, err := f.given(); exitOf(err) != exitUsage {
			t.Errorf("%s: %x, %v", name, got, err)
		}
	}
}

// A policy may be as long as the API takes it, and not a byte longer; so may
// material in the longest form.
func TestInputLimits(t *testing.T) {
	s := func(text string) *session {
		return &session{in: strings.NewReader(text), printer: &printer{err: os.Stderr}}
	}
	policy := `{"Sid":"` + strings.Repeat("x", maxPolicyBytes-len(`{"Sid":""}`)) + `"}`
	var file dataFlags
	if got, err := file.readPolicy(s(policy)); err != nil || got != policy {
		t.Errorf("a policy of %d bytes: %v", len(policy), err)
	}
	if _, err := file.readPolicy(s(policy + " ")); exitOf(err) != exitUsage {
		t.Errorf("a policy of %d bytes: %v", len(policy)+1, err)
	}
	material := materialFlags{format: "hex"}
	text := strings.Repeat(" ", maxMaterialText-64) + strings.Repeat("ab", 32)
	if got, err := material.read(s(text), "Aliyun_AES_256"); err != nil || len(got) != 32 {
		t.Errorf("material in a text of %d bytes: %d bytes, %v", len(text), len(got), err)
	}
	if _, err := material.read(s(" "+text), "Aliyun_AES_256"); exitOf(err) != exitUsage || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("material in a text of %d bytes: %v", len(text)+1, err)
	}
	path := filepath.Join(t.TempDir(), "file")
	for size, good := range map[int]bool{maxSmallFile: true, maxSmallFile + 1: false} {
		if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		if data, err := readSmall("--x", path); (err == nil) != good || good && len(data) != size {
			t.Errorf("a file of %d bytes: %d bytes, %v", size, len(data), err)
		}
		signature := strings.Repeat("\x00", size)
		if data, err := readSignature(s(signature), "-", false); good && (err != nil || string(data) != signature) || !good && exitOf(err) != exitUsage {
			t.Errorf("a signature of %d bytes on stdin: %d bytes, %v", size, len(data), err)
		}
	}
}

// No error about material repeats of it.
func TestMaterialIsNotRepeated(t *testing.T) {
	const text = "geheimgeheimgeheimgeheimgeheim!"
	for _, format := range materialFormats {
		f := materialFlags{format: format}
		_, err := f.read(&session{in: strings.NewReader(text), printer: &printer{err: os.Stderr}}, "Aliyun_AES_256")
		if exitOf(err) != exitUsage || strings.Contains(err.Error(), "geheim") || strings.Contains(err.Error(), "'g'") {
			t.Errorf("%s: %v", format, err)
		}
	}
}

// What is wrapped here is what the private half unwraps, by each algorithm.
func TestWrap(t *testing.T) {
	pair, err := crypto.GenerateKey(crypto.AlgorithmRSA2048)
	if err != nil {
		t.Fatal(err)
	}
	material := crypto.Secret(randomBytes(32))
	for _, w := range wrappingWords {
		p := importParameters{scheme: crypto.EncryptionScheme(w.api), PublicKey: base64.StdEncoding.EncodeToString(pair.Public().DER())}
		wrapped, err := p.wrap(material)
		if err != nil || len(wrapped) != wrappedBytes {
			t.Errorf("%s: %d bytes, %v", w.typed, len(wrapped), err)
			continue
		}
		if got, err := pair.DecryptImport(p.scheme, wrapped, len(material)); err != nil || !got.Equal(material) {
			t.Errorf("%s: it does not come back: %v", w.typed, err)
		}
	}
	other, err := crypto.GenerateKey(crypto.AlgorithmRSA3072)
	if err != nil {
		t.Fatal(err)
	}
	for name, public := range map[string]string{"another spec": base64.StdEncoding.EncodeToString(other.Public().DER()), "no Base64": "!", "no key": "AAAA"} {
		p := importParameters{scheme: crypto.RSAESOAEPSHA256, PublicKey: public}
		if _, err := p.wrap(material); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

// What a sealed test of signatures must be able to tell.
func TestCheckSignatureRefuses(t *testing.T) {
	for _, spec := range keySpecs {
		for _, scheme := range signing.schemes(spec.algorithm) {
			pair, err := crypto.GenerateKey(spec.algorithm)
			if err != nil {
				t.Fatal(err)
			}
			h, err := pair.Public().NewHash(crypto.SignatureScheme(scheme))
			if err != nil {
				t.Fatal(err)
			}
			h.Write([]byte("a message"))
			signature, err := pair.Sign(crypto.SignatureScheme(scheme), h.Sum(nil))
			if err != nil {
				t.Fatal(err)
			}
			der := pair.Public().DER()
			if err := checkSignature(scheme, der, []byte("a message"), signature); err != nil {
				t.Errorf("%s %s: %v", spec.name, scheme, err)
			}
			if checkSignature(scheme, der, []byte("another message"), signature) == nil {
				t.Errorf("%s %s: the signature of another message is taken", spec.name, scheme)
			}
		}
	}
}
