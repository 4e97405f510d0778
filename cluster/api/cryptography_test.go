package api

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"meridian/crypto"
	"meridian/store"
)

func parseTestBlob(b []byte) (crypto.Blob, error) { return crypto.ParseBlob(b) }

const blobMessage = "CiphertextBlob does not open: it is damaged, its encryption context is another, or it is not one of ours."

func TestEncryptDecrypt(t *testing.T) {
	h := newHarness(t, Limits{})
	key := h.newKey(t)
	for _, size := range []int{1, 15, 16, 17, 32, 190, 1000, 4095, 4096} {
		for _, w := range wires {
			plaintext := bytes.Repeat([]byte{byte(size), 0xff}, size)[:size]
			sealed := h.callBy(t, w, "Encrypt", params{"KeyId": key, "Plaintext": base64.StdEncoding.EncodeToString(plaintext)})
			opened := h.callBy(t, w, "Decrypt", params{"CiphertextBlob": sealed.text("CiphertextBlob")})
			if !bytes.Equal(unb64(t, opened.text("Plaintext")), plaintext) {
				t.Fatalf("%v, %d bytes: opened %s", w, size, opened.raw)
			}
			if opened.text("KeyId") != key || sealed.text("KeyId") != key || opened.text("KeyVersionId") != sealed.text("KeyVersionId") {
				t.Errorf("%v: sealed by %s, opened by %s", w, sealed.raw, opened.raw)
			}
			if sealed.header.Get("X-Meridian-Index") == "" {
				t.Error("no X-Meridian-Index")
			}
		}
	}
}

// The limit of plaintext decides what may be sealed, never what may be opened.
func TestPlaintextLimit(t *testing.T) {
	h := newHarness(t, Limits{Plaintext: MaxPlaintext})
	key := h.newKey(t)
	most := base64.StdEncoding.EncodeToString(make([]byte, MaxPlaintext))
	blob := h.ok(t, "Encrypt", params{"KeyId": key, "Plaintext": most}).text("CiphertextBlob")
	h.fails(t, CodeInvalidParameter, "Encrypt", params{"KeyId": key, "Plaintext": base64.StdEncoding.EncodeToString(make([]byte, MaxPlaintext+1))})

	narrow, _ := h.newServer(t, Limits{Plaintext: 16})
	post := wire{method: http.MethodPost}
	if r := h.send(t, narrow, post, h.request(post, "Decrypt", params{"CiphertextBlob": blob})); r.text("Plaintext") != most {
		t.Errorf("opening is limited: %.200s", r.raw)
	}
	if r := h.send(t, narrow, post, h.request(post, "ReEncrypt", params{"CiphertextBlob": blob, "DestinationKeyId": key})); r.code != "" {
		t.Errorf("sealing anew is limited: %.200s", r.raw)
	}
	if r := h.send(t, narrow, post, h.request(post, "Encrypt", params{"KeyId": key, "Plaintext": b64("seventeen bytes..")})); r.code != CodeInvalidParameter {
		t.Errorf("sealing is not limited: %.200s", r.raw)
	}
}

// TestBlobLimit opens the longest blob there can be, and refuses one of a byte more.
func TestBlobLimit(t *testing.T) {
	h := newHarness(t, Limits{})
	id, _ := crypto.ParseKeyID(h.newKey(t))
	plaintext := bytes.Repeat([]byte("p"), crypto.MaxBlobBytes-crypto.BlobBytes(testRegionID, 0))
	var blob []byte
	err := h.view(func(v *store.View) error {
		k, err := v.Key(id)
		if err != nil {
			return err
		}
		x, err := h.Cipher(v, k, k.PrimaryVersion)
		if err != nil {
			return err
		}
		header := crypto.Header{Algorithm: crypto.AlgorithmXAES256GCM, Region: testRegionID, KeyID: id, VersionID: k.PrimaryVersion}
		blob, err = crypto.SealBlob(nil, x, header, crypto.Context{}, plaintext)
		return err
	})
	if err != nil || len(blob) != crypto.MaxBlobBytes {
		t.Fatalf("a blob of %d bytes, %v", len(blob), err)
	}
	opened := h.ok(t, "Decrypt", params{"CiphertextBlob": base64.StdEncoding.EncodeToString(blob)})
	if !bytes.Equal(unb64(t, opened.text("Plaintext")), plaintext) {
		t.Error("opened as something else")
	}
	for _, action := range []string{"Decrypt", "ReEncrypt"} {
		p := params{"CiphertextBlob": base64.StdEncoding.EncodeToString(append(blob, 0)), "DestinationKeyId": id.String()}
		if r := h.fails(t, CodeInvalidParameter, action, p); r.message() != blobMessage {
			t.Errorf("%s: message %q", action, r.message())
		}
	}
}

func TestDataKeys(t *testing.T) {
	h := newHarness(t, Limits{})
	key := h.newKey(t)
	for _, tt := range []struct {
		more params
		size int
	}{
		{nil, 32},
		{params{"KeySpec": "AES_256"}, 32},
		{params{"KeySpec": "AES_128"}, 16},
		{params{"NumberOfBytes": "1"}, 1},
		{params{"NumberOfBytes": "1024"}, 1024},
		{params{"KeySpec": "AES_128", "NumberOfBytes": "64"}, 64},
		{params{"KeySpec": "ignored", "NumberOfBytes": "64"}, 64},
		{params{"KeySpec": "AES_128", "NumberOfBytes": ""}, 16},
	} {
		p := with(tt.more, "KeyId", key, "EncryptionContext", `{"purpose":"orders"}`)
		first, second := h.ok(t, "GenerateDataKey", p), h.ok(t, "GenerateDataKey", p)
		plaintext := unb64(t, first.text("Plaintext"))
		if len(plaintext) != tt.size || first.text("Plaintext") == second.text("Plaintext") && tt.size > 1 {
			t.Errorf("%v: %d bytes, want %d, fresh", tt.more, len(plaintext), tt.size)
		}
		opened := h.ok(t, "Decrypt", params{"CiphertextBlob": first.text("CiphertextBlob"), "EncryptionContext": `{"purpose":"orders"}`})
		if opened.text("Plaintext") != first.text("Plaintext") {
			t.Errorf("%v: the blob holds another key", tt.more)
		}
		sealed := h.ok(t, "GenerateDataKeyWithoutPlaintext", p)
		if sealed.text("Plaintext") != "" || strings.Contains(sealed.raw, "Plaintext") {
			t.Errorf("%v: the key is shown: %s", tt.more, sealed.raw)
		}
		opened = h.ok(t, "Decrypt", params{"CiphertextBlob": sealed.text("CiphertextBlob"), "EncryptionContext": `{"purpose":"orders"}`})
		if got := unb64(t, opened.text("Plaintext")); len(got) != tt.size || tt.size >= 16 && bytes.Equal(got, make([]byte, tt.size)) {
			t.Errorf("%v: the sealed key has %d bytes, or is all zero", tt.more, len(got))
		}
	}
}

// Old versions open what they sealed; the primary one seals.
func TestVersions(t *testing.T) {
	h := newHarness(t, Limits{})
	key := h.newKey(t)
	before := h.ok(t, "Encrypt", params{"KeyId": key, "Plaintext": b64("before")})
	h.rotate(t, key)
	after := h.ok(t, "Encrypt", params{"KeyId": key, "Plaintext": b64("after")})
	if before.text("KeyVersionId") == after.text("KeyVersionId") {
		t.Fatal("the new version does not seal")
	}
	for text, sealed := range map[string]reply{"before": before, "after": after} {
		opened := h.ok(t, "Decrypt", params{"CiphertextBlob": sealed.text("CiphertextBlob")})
		if opened.text("Plaintext") != b64(text) || opened.text("KeyVersionId") != sealed.text("KeyVersionId") {
			t.Errorf("%s: opened %s", text, opened.raw)
		}
	}
	again := h.ok(t, "ReEncrypt", params{"CiphertextBlob": before.text("CiphertextBlob"), "DestinationKeyId": key})
	if again.text("KeyVersionId") != after.text("KeyVersionId") {
		t.Error("ReEncrypt does not move to the new version")
	}
}

func TestContextEquality(t *testing.T) {
	h := newHarness(t, Limits{})
	key := h.newKey(t)
	const a, b = `{"tenant":"a&b","zone":"<1>"}`, "EncryptionContext"
	same := []params{
		{b: a},
		{b: ` { "zone" : "<1>" ,` + "\n" + ` "tenant" : "a\u0026b" } `},
		{b: `{"\u0074enant":"a&b","zone":"\u003c1\u003E"}`},
		{b + ".tenant": "a&b", b + ".zone": "<1>"},
		{b: "", b + ".zone": "<1>", b + ".tenant": "a&b"},
	}
	for i, seal := range same {
		blob := h.ok(t, "Encrypt", with(seal, "KeyId", key, "Plaintext", b64("hello"))).text("CiphertextBlob")
		for j, open := range same {
			if r := h.call(t, "Decrypt", with(open, "CiphertextBlob", blob)); r.text("Plaintext") != b64("hello") {
				t.Errorf("sealed in %d, opened in %d: %s", i, j, r.raw)
			}
		}
		for _, other := range []params{
			nil, {b: `{}`}, {b: `{"tenant":"a&b"}`}, {b: `{"tenant":"a&b","zone":"<2>"}`}, {b: `{"tenant":"a&b","Zone":"<1>"}`},
			{b: `{"tenant":"a&b","zone":"<1>","more":""}`}, {b: `{"tenant":"A&b","zone":"<1>"}`}, {b + ".tenant": "a&b", b + ".zone.x": "<1>"},
		} {
			if r := h.fails(t, CodeInvalidParameter, "Decrypt", with(other, "CiphertextBlob", blob)); r.message() != blobMessage {
				t.Errorf("%v: message %q", other, r.message())
			}
		}
	}
	none := []params{nil, {b: ""}, {b: "{}"}, {b: " { } "}}
	for i, seal := range none {
		blob := h.ok(t, "Encrypt", with(seal, "KeyId", key, "Plaintext", b64("hello"))).text("CiphertextBlob")
		for j, open := range none {
			if r := h.call(t, "Decrypt", with(open, "CiphertextBlob", blob)); r.code != "" {
				t.Errorf("none %d, none %d: %s", i, j, r.raw)
			}
		}
	}
}

func TestContextNames(t *testing.T) {
	h := newHarness(t, Limits{})
	key := h.newKey(t)
	// All that follows the first dot is the name; no normalisation makes two names one.
	dotted := h.encrypt(t, key, "hello", "EncryptionContext.a.b", "c")
	if r := h.call(t, "Decrypt", params{"CiphertextBlob": dotted, "EncryptionContext": `{"a.b":"c"}`}); r.code != "" {
		t.Error(r.raw)
	}
	composed := h.encrypt(t, key, "hello", "EncryptionContext", `{"é":"x"}`)
	h.fails(t, CodeInvalidParameter, "Decrypt", params{"CiphertextBlob": composed, "EncryptionContext": "{\"e\u0301\":\"x\"}"})
	for _, bad := range []params{
		{"EncryptionContext": `{"a":"b"}`, "EncryptionContext.a": "b"},
		{"EncryptionContext": `{}`, "EncryptionContext.a": "b"},
		{"EncryptionContext.": "b"},
		{"EncryptionContext": `{"":"b"}`}, {"EncryptionContext": `{"a":"b","a":"b"}`}, {"EncryptionContext": `{"a":"b","\u0061":"c"}`},
		{"EncryptionContext": `{"a":null}`}, {"EncryptionContext": `{"a":["b"]}`}, {"EncryptionContext": `{"a":"b"} x`}, {"EncryptionContext": `null`},
		{"EncryptionContext": `{"a":"\ud800"}`}, {"EncryptionContext": `{"a":"b",}`}, {"EncryptionContext": " "},
	} {
		for action, more := range map[string]params{"Encrypt": {"KeyId": key, "Plaintext": "AA=="}, "Decrypt": {"CiphertextBlob": dotted}, "GenerateDataKey": {"KeyId": key}} {
			p := with(more)
			for name, value := range bad {
				p[name] = value
			}
			if r := h.fails(t, CodeInvalidParameter, action, p); !strings.Contains(r.message(), "EncryptionContext") {
				t.Errorf("%s %v: %q", action, bad, r.message())
			}
		}
	}
}

func TestReEncrypt(t *testing.T) {
	h := newHarness(t, Limits{})
	from, to := h.newKey(t), h.newKey(t)
	h.ok(t, "CreateAlias", params{"AliasName": "alias/to", "KeyId": to})
	h.ok(t, "CreateAlias", params{"AliasName": "alias/from", "KeyId": from})
	blob := h.encrypt(t, from, "hello", "EncryptionContext", `{"a":"1"}`)
	for _, p := range []params{
		{"DestinationKeyId": to, "DestinationEncryptionContext": `{"b":"2"}`, "SourceEncryptionContext": `{"a":"1"}`},
		{"DestinationKeyId": "alias/to", "DestinationEncryptionContext.b": "2", "SourceEncryptionContext.a": "1", "SourceKeyId": "alias/from"},
	} {
		r := h.ok(t, "ReEncrypt", with(p, "CiphertextBlob", blob))
		if r.text("KeyId") != to {
			t.Errorf("sealed by %s, want %s", r.text("KeyId"), to)
		}
		opened := h.ok(t, "Decrypt", params{"CiphertextBlob": r.text("CiphertextBlob"), "EncryptionContext": `{"b":"2"}`})
		if opened.text("Plaintext") != b64("hello") || opened.text("KeyId") != to {
			t.Errorf("opened %s", opened.raw)
		}
	}
	good := params{"CiphertextBlob": blob, "DestinationKeyId": to, "SourceEncryptionContext": `{"a":"1"}`}
	h.ok(t, "ReEncrypt", good)
	if r := h.fails(t, CodeInvalidParameter, "ReEncrypt", with(good, "SourceEncryptionContext", `{"a":"2"}`)); r.message() != blobMessage {
		t.Error(r.message())
	}
	if r := h.fails(t, CodeInvalidParameter, "ReEncrypt", with(good, "SourceKeyId", to)); !strings.Contains(r.message(), "SourceKeyId") {
		t.Error(r.message())
	}
	asymmetric := with(good, "SourceKeyId", from, "SourceKeyVersionId", h.newestVersion(t, from), "SourceEncryptionAlgorithm", "RSAES_OAEP_SHA_256",
		"SourceEncryptionContext", "-")
	if r := h.fails(t, CodeUnsupportedOperation, "ReEncrypt", asymmetric); !strings.Contains(r.message(), "Aliyun_AES_256") {
		t.Error(r.message())
	}
	h.fails(t, CodeMissingParameter, "ReEncrypt", with(asymmetric, "SourceKeyVersionId", "-"))
	h.ok(t, "DisableKey", params{"KeyId": to})
	h.fails(t, CodeRejectedDisabled, "ReEncrypt", good)
}

// A blob that was changed anywhere is refused, and where it does not say which key it names, always with one text.
func TestDamagedBlob(t *testing.T) {
	h := newHarness(t, Limits{})
	key := h.newKey(t)
	blob := unb64(t, h.encrypt(t, key, "hello"))
	decrypt := func(b []byte) reply {
		return h.call(t, "Decrypt", params{"CiphertextBlob": base64.StdEncoding.EncodeToString(b)})
	}
	region, keyID := 4, 4+len(testRegionID)
	for i := range blob {
		for _, bit := range []byte{0x01, 0x80} {
			damaged := bytes.Clone(blob)
			damaged[i] ^= bit
			r := decrypt(damaged)
			switch {
			case i >= keyID && i < keyID+16:
				if r.code != CodeForbiddenKeyNotFound {
					t.Errorf("byte %d: %s", i, r.raw)
				}
			case i >= region-1 && i < keyID && r.code == CodeInvalidParameterWrongRegion: // its length or its name
			default:
				if r.code != CodeInvalidParameter || r.message() != blobMessage {
					t.Errorf("byte %d: %s", i, r.raw)
				}
			}
			if strings.Contains(r.raw, b64("hello")) {
				t.Fatalf("byte %d: opened", i)
			}
		}
	}
	for cut := range len(blob) - 1 {
		if r := decrypt(blob[:cut+1]); r.code != CodeInvalidParameter || r.message() != blobMessage {
			t.Errorf("cut to %d bytes: %s", cut+1, r.raw)
		}
	}
	for name, text := range map[string]string{
		"one byte more": base64.StdEncoding.EncodeToString(append(bytes.Clone(blob), 0)),
		"too large":     base64.StdEncoding.EncodeToString(make([]byte, 8193)),
		"not Base64":    "....",
		"no padding":    strings.TrimRight(base64.StdEncoding.EncodeToString(blob), "=") + "A",
		"line break":    base64.StdEncoding.EncodeToString(blob)[:8] + "\n" + base64.StdEncoding.EncodeToString(blob)[8:],
		"url alphabet":  "____",
		"other service": b64("a blob of some other service, long enough to be one of ours perhaps, with eighty bytes and more"),
	} {
		if r := h.call(t, "Decrypt", params{"CiphertextBlob": text}); r.code != CodeInvalidParameter || r.message() != blobMessage {
			t.Errorf("%s: %s", name, r.raw)
		}
		if r := h.call(t, "ReEncrypt", params{"CiphertextBlob": text, "DestinationKeyId": key}); r.code != CodeInvalidParameter || r.message() != blobMessage {
			t.Errorf("ReEncrypt, %s: %s", name, r.raw)
		}
	}
}

// The record of a key version says how it seals, not the blob.
func TestAlgorithmIsTheRecords(t *testing.T) {
	h := newHarness(t, Limits{})
	for spec, other := range map[string]crypto.Algorithm{"Aliyun_AES_256": crypto.AlgorithmXSM4GCM, "Aliyun_SM4": crypto.AlgorithmXAES256GCM} {
		blob := unb64(t, h.encrypt(t, h.newKeyOf(t, spec, ""), "hello"))
		blob[1] = byte(other)
		if r := h.fails(t, CodeInvalidParameter, "Decrypt", params{"CiphertextBlob": b64(string(blob))}); r.message() != blobMessage {
			t.Errorf("%s: %s", spec, r.message())
		}
	}
}

func TestBlobOfAnotherRegion(t *testing.T) {
	h := newHarness(t, Limits{})
	x, err := crypto.NewXAES(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	header := crypto.Header{Algorithm: crypto.AlgorithmXAES256GCM, Region: "cn-shanghai-self", KeyID: crypto.NewKeyID(), VersionID: crypto.NewVersionID()}
	blob, err := crypto.SealBlob(nil, x, header, crypto.Context{}, []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	p := params{"CiphertextBlob": base64.StdEncoding.EncodeToString(blob)}
	want := "This blob was sealed in cn-shanghai-self by key " + header.KeyID.String() + " version " + header.VersionID.String() +
		". This region, cn-hangzhou, can't open it. Ask that region, or move the ciphertext: meridian reencrypt KEY --to-region cn-hangzhou"
	if r := h.fails(t, CodeInvalidParameterWrongRegion, "Decrypt", p); r.message() != want {
		t.Errorf("message %q", r.message())
	}
	if r := h.fails(t, CodeInvalidParameterWrongRegion, "ReEncrypt", with(p, "DestinationKeyId", h.newKey(t))); r.message() != want {
		t.Errorf("message %q", r.message())
	}
}

// A key that the symmetric actions cannot use is refused by all of them.
func TestKeysOfAnotherSpec(t *testing.T) {
	h := newHarness(t, Limits{})
	id := h.sharedKey(t, "RSA_2048", "")
	export := with(scenes["GenerateAndExportDataKey"](t, h), "KeyId", id)
	if r := h.fails(t, CodeInvalidParameter, "ExportDataKey", with(export, "CiphertextBlob", blobNaming(t, id), "EncryptionContext", "-")); !strings.Contains(r.message(), "RSA_2048") {
		t.Error(r.message())
	}
	if r := h.fails(t, CodeUnsupportedOperation, "UpdateRotationPolicy", params{"KeyId": id, "EnableAutomaticRotation": "true", "RotationInterval": "7d"}); !strings.Contains(r.message(), id) {
		t.Error(r.message())
	}
	if r := h.call(t, "GenerateAndExportDataKey", export); r.code != CodeInvalidParameter || !strings.Contains(r.message(), "RSA_2048") {
		t.Error(r.raw)
	}
	for action, p := range map[string]params{
		"Encrypt":                         {"KeyId": id, "Plaintext": "AA=="},
		"GenerateDataKey":                 {"KeyId": id},
		"GenerateDataKeyWithoutPlaintext": {"KeyId": id},
		"Decrypt":                         {"CiphertextBlob": blobNaming(t, id)},
		"ReEncrypt":                       {"CiphertextBlob": h.encrypt(t, h.newKey(t), "hello"), "DestinationKeyId": id},
	} {
		if r := h.fails(t, CodeUnsupportedOperation, action, p); !strings.Contains(r.message(), "RSA_2048") {
			t.Errorf("%s: message %q does not name the spec", action, r.message())
		}
	}
}

func TestRecipientIsRefused(t *testing.T) {
	h := newHarness(t, Limits{})
	key := h.newKey(t)
	blob := h.encrypt(t, key, "hello")
	h.fails(t, CodeUnsupportedOperation, "Decrypt", params{"CiphertextBlob": blob, "Recipient": `{"a":"b"}`})
	h.fails(t, CodeUnsupportedOperation, "GenerateDataKey", params{"KeyId": key, "Recipient": `x`})
	h.ok(t, "Decrypt", params{"CiphertextBlob": blob, "Recipient": ""})
}

// A view that proves too old does the work again; nothing of the first answer is left, not even when only one succeeds.
func TestWorkIsDoneTwice(t *testing.T) {
	h := newHarness(t, Limits{})
	for i := range Actions() {
		a := &Actions()[i]
		if a.Kind == KindWrite {
			continue
		}
		for _, w := range wires {
			p := scenes[a.Name](t, h)
			h.again = func() {}
			r := h.callBy(t, w, a.Name, p)
			h.again = nil
			if r.code != alwaysRefused[a.Name] || strings.Count(r.raw, "RequestId") > 2 || strings.Count(r.raw, `"RequestId"`) > 1 {
				t.Errorf("%s %v: %s", a.Name, w, r.raw)
			}
			if blob := r.text("CiphertextBlob"); blob != "" && a.Name == "GenerateDataKey" {
				opened := h.ok(t, "Decrypt", params{"CiphertextBlob": blob, "EncryptionContext": `{"a":"b"}`})
				if opened.text("Plaintext") != r.text("Plaintext") {
					t.Error("the data key and its blob come from different runs")
				}
			}
		}
	}
	p := scenes["Decrypt"](t, h)
	blob, err := parseTestBlob(unb64(t, p["CiphertextBlob"]))
	if err != nil {
		t.Fatal(err)
	}
	h.again = func() {
		again := h.again
		h.again = nil
		h.ok(t, "DisableKey", params{"KeyId": blob.KeyID.String()})
		h.again = again
	}
	r := h.call(t, "Decrypt", p)
	h.again = nil
	if r.code != CodeRejectedDisabled || strings.Contains(r.raw, "Plaintext") {
		t.Errorf("a key disabled between the runs: %s", r.raw)
	}
}

func TestSealedAndUnavailable(t *testing.T) {
	h := newHarness(t, Limits{})
	key := h.newKey(t)
	blob := h.encrypt(t, key, "hello")
	h.sealed = true
	for action, p := range map[string]params{
		"Encrypt": {"KeyId": key, "Plaintext": "AA=="}, "Decrypt": {"CiphertextBlob": blob}, "GenerateDataKey": {"KeyId": key}, "CreateKey": nil,
	} {
		if r := h.fails(t, CodeServiceUnavailableTemporary, action, p); r.header.Get("Retry-After") == "" || r.status != 503 || !strings.Contains(r.message(), "sealed") {
			t.Errorf("%s: status %d, %v", action, r.status, r.raw)
		}
	}
	h.sealed = false
	h.readErr = store.ErrDamaged
	if r := h.fails(t, CodeInternalFailure, "Decrypt", params{"CiphertextBlob": blob}); strings.Contains(r.raw, "damaged") {
		t.Errorf("a fault of ours is told: %s", r.raw)
	}
}
