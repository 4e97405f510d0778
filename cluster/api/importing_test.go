package api

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"meridian/cluster"
	"meridian/crypto"
	"meridian/store"
	"meridian/store/storepb"
)

// Material comes in under each wrapping algorithm, seals at once, and is the only one that the key ever takes.
func TestImport(t *testing.T) {
	h := newHarness(t, Limits{})
	for _, scheme := range []string{"RSAES_OAEP_SHA_256", "RSAES_OAEP_SHA_1", "RSAES_PKCS1_V1_5"} {
		key := h.keyIn(t, "PendingImport")
		h.fails(t, CodeRejectedPendingImport, "Encrypt", params{"KeyId": key, "Plaintext": "AA=="})
		h.ok(t, "ImportKeyMaterial", h.importParams(t, key, scheme, testMaterial))
		metadata := h.ok(t, "DescribeKey", params{"KeyId": key})
		version := metadata.text("KeyMetadata.PrimaryKeyVersion")
		if metadata.text("KeyMetadata.KeyState") != "Enabled" || version == "" || metadata.text("KeyMetadata.MaterialExpireTime") != "" {
			t.Errorf("%s: %s", scheme, metadata.raw)
		}
		blob := h.encrypt(t, key, "hello")

		h.ok(t, "DeleteKeyMaterial", params{"KeyId": key})
		h.fails(t, CodeRejectedPendingImport, "Decrypt", params{"CiphertextBlob": blob})
		if r := h.ok(t, "DescribeKey", params{"KeyId": key}); r.text("KeyMetadata.KeyState") != "PendingImport" || r.text("KeyMetadata.PrimaryKeyVersion") != "" {
			t.Errorf("%s: %s", scheme, r.raw)
		}
		h.ok(t, "DeleteKeyMaterial", params{"KeyId": key}) // nothing there: nothing done

		other := strings.Repeat("x", 32)
		if r := h.fails(t, CodeInvalidKeyMaterial, "ImportKeyMaterial", h.importParams(t, key, scheme, other)); !strings.Contains(r.message(), "had before") {
			t.Error(r.message())
		}
		h.ok(t, "ImportKeyMaterial", h.importParams(t, key, scheme, testMaterial))
		if r := h.ok(t, "Decrypt", params{"CiphertextBlob": blob}); r.text("Plaintext") != b64("hello") || r.text("KeyVersionId") != version {
			t.Errorf("%s: %s", scheme, r.raw)
		}
		// While it is there the same may come again, other material may not.
		h.fails(t, CodeInvalidKeyMaterial, "ImportKeyMaterial", h.importParams(t, key, scheme, other))
		h.ok(t, "ImportKeyMaterial", h.importParams(t, key, scheme, testMaterial, "KeyMaterialExpireUnix", "4102444800"))
		if r := h.ok(t, "DescribeKey", params{"KeyId": key}); r.text("KeyMetadata.MaterialExpireTime") != "2100-01-01T00:00:00Z" {
			t.Errorf("%s: %s", scheme, r.raw)
		}
	}
	// SM4 takes 16 bytes.
	key := h.ok(t, "CreateKey", params{"KeySpec": "Aliyun_SM4", "Origin": "EXTERNAL"}).text("KeyMetadata.KeyId")
	h.fails(t, CodeInvalidKeyMaterial, "ImportKeyMaterial", h.importParams(t, key, "RSAES_OAEP_SHA_256", testMaterial))
	h.ok(t, "ImportKeyMaterial", h.importParams(t, key, "RSAES_OAEP_SHA_256", testMaterial[:16]))
	h.ok(t, "Decrypt", params{"CiphertextBlob": h.encrypt(t, key, "hello")})
}

// A token is good for one import into one key, for a day.
func TestImportTokens(t *testing.T) {
	h := newHarness(t, Limits{})
	key, other := h.keyIn(t, "PendingImport"), h.keyIn(t, "PendingImport")
	p := h.importParams(t, key, "RSAES_OAEP_SHA_256", testMaterial)
	h.fails(t, CodeInvalidImportToken, "ImportKeyMaterial", with(p, "KeyId", other))
	h.fails(t, CodeInvalidImportToken, "ImportKeyMaterial", with(p, "ImportToken", zeros(32)))
	h.fails(t, CodeInvalidImportToken, "ImportKeyMaterial", with(p, "ImportToken", "AA=="))
	// Material under the key of another token does not decrypt; the token is still good after that.
	second := h.importParams(t, key, "RSAES_OAEP_SHA_256", testMaterial)
	h.fails(t, CodeInvalidKeyMaterial, "ImportKeyMaterial", with(p, "EncryptedKeyMaterial", second["EncryptedKeyMaterial"]))
	h.ok(t, "ImportKeyMaterial", p)
	h.fails(t, CodeInvalidImportToken, "ImportKeyMaterial", p)
	h.clock.advance(importTokenTime - time.Second)
	third := h.importParams(t, key, "RSAES_OAEP_SHA_256", testMaterial)
	h.clock.advance(time.Second - time.Millisecond)
	h.ok(t, "ImportKeyMaterial", second) // a millisecond before its end
	h.clock.advance(importTokenTime - time.Second + time.Millisecond)
	if r := h.fails(t, CodeExpiredImportToken, "ImportKeyMaterial", third); !strings.Contains(r.message(), "2026-11-26T07:59:59Z") {
		t.Error(r.message())
	}
}

// Under PKCS #1 v1.5 a failure could be made to tell about the material, so it uses the token up.
func TestFailedImportUsesUpTheToken(t *testing.T) {
	h := newHarness(t, Limits{})
	key := h.keyIn(t, "PendingImport")
	p := h.importParams(t, key, "RSAES_PKCS1_V1_5", testMaterial)
	bad := with(p, "EncryptedKeyMaterial", b64(string(flipped(unb64(t, p["EncryptedKeyMaterial"])))))
	h.fails(t, CodeInvalidKeyMaterial, "ImportKeyMaterial", bad)
	h.fails(t, CodeInvalidImportToken, "ImportKeyMaterial", p)
	short := h.importParams(t, key, "RSAES_PKCS1_V1_5", testMaterial[:31])
	h.fails(t, CodeInvalidKeyMaterial, "ImportKeyMaterial", short)
	h.fails(t, CodeInvalidImportToken, "ImportKeyMaterial", short)
	if got := h.key(t, key); got.Versions != 0 {
		t.Errorf("%+v", got)
	}
}

func TestImportRefusals(t *testing.T) {
	h := newHarness(t, Limits{})
	key, own := h.keyIn(t, "PendingImport"), h.newKey(t)
	for _, scheme := range []string{"RSAES_OAEP_SHA_256", "RSAES_OAEP_SHA_1"} {
		for _, material := range []string{testMaterial[:31], testMaterial + "x", "", testMaterial[:16]} {
			r := h.fails(t, CodeInvalidKeyMaterial, "ImportKeyMaterial", h.importParams(t, key, scheme, material))
			if !strings.Contains(r.message(), "32 bytes") {
				t.Error(r.message())
			}
		}
	}
	wrapping := params{"KeyId": key, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
	h.fails(t, CodeUnsupportedOrigin, "GetParametersForImport", with(wrapping, "KeyId", own))
	h.fails(t, CodeUnsupportedOrigin, "DeleteKeyMaterial", params{"KeyId": own})
	h.fails(t, CodeInvalidParameter, "GetParametersForImport", with(wrapping, "WrappingKeySpec", "EC_SM2"))
	h.fails(t, CodeInvalidParameter, "GetParametersForImport", with(wrapping, "WrappingAlgorithm", "SM2PKE"))
	p := h.importParams(t, key, "RSAES_OAEP_SHA_256", testMaterial)
	h.fails(t, CodeUnsupportedOrigin, "ImportKeyMaterial", with(p, "KeyId", own))
	for value, code := range map[string]string{
		decimal(h.clock.now().Unix()): CodeInvalidParameter, "1": CodeInvalidParameter, "253402300800": CodeInvalidParameter, "9223372036854775807": CodeInvalidParameter,
	} {
		if r := h.fails(t, code, "ImportKeyMaterial", with(p, "KeyMaterialExpireUnix", value)); !strings.Contains(r.message(), "KeyMaterialExpireUnix") {
			t.Error(r.message())
		}
	}
	h.ok(t, "ImportKeyMaterial", with(p, "KeyMaterialExpireUnix", decimal(h.clock.now().Unix()+1)))
}

// Material that has expired is out of use at that moment, before the region has taken it out.
func TestMaterialExpires(t *testing.T) {
	h := newHarness(t, Limits{})
	key := h.keyIn(t, "PendingImport")
	at := decimal(h.clock.now().Unix() + 60)
	h.ok(t, "ImportKeyMaterial", h.importParams(t, key, "RSAES_OAEP_SHA_256", testMaterial, "KeyMaterialExpireUnix", at))
	blob := h.encrypt(t, key, "hello")
	h.clock.advance(time.Minute - time.Nanosecond)
	h.ok(t, "Decrypt", params{"CiphertextBlob": blob})
	h.clock.advance(time.Nanosecond)
	h.fails(t, CodeRejectedPendingImport, "Decrypt", params{"CiphertextBlob": blob})
	h.fails(t, CodeRejectedPendingImport, "Encrypt", params{"KeyId": key, "Plaintext": "AA=="})
	if r := h.ok(t, "DescribeKey", params{"KeyId": key}); r.text("KeyMetadata.KeyState") != "PendingImport" || r.text("KeyMetadata.PrimaryKeyVersion") != "" {
		t.Error(r.raw)
	}
	for _, action := range []string{"EnableKey", "DisableKey"} {
		r := h.fails(t, CodeRejectedStateModifiedFailed, action, params{"KeyId": key})
		if !strings.Contains(r.message(), "PendingImport since 2026-11-24T08:01:00Z") {
			t.Error(r.message())
		}
	}
	for state, want := range map[string]int{"PendingImport": 1, "Enabled": 0} {
		r := h.ok(t, "ListKeys", params{"Filters": `[{"Key":"KeyState","Values":["` + state + `"]}]`})
		if r.number("TotalCount") != want {
			t.Errorf("%s: %s", state, r.raw)
		}
	}
	h.ok(t, "ImportKeyMaterial", h.importParams(t, key, "RSAES_OAEP_SHA_256", testMaterial))
	h.ok(t, "Decrypt", params{"CiphertextBlob": blob})
	h.ok(t, "DisableKey", params{"KeyId": key})
}

// A key that was Disabled is so after an import, and one that waits to be deleted takes none.
func TestImportKeepsTheState(t *testing.T) {
	h := newHarness(t, Limits{})
	key := h.importedKey(t)
	h.ok(t, "DisableKey", params{"KeyId": key})
	h.ok(t, "ImportKeyMaterial", h.importParams(t, key, "RSAES_OAEP_SHA_256", testMaterial))
	if r := h.ok(t, "DescribeKey", params{"KeyId": key}); r.text("KeyMetadata.KeyState") != "Disabled" {
		t.Error(r.raw)
	}
	h.ok(t, "ScheduleKeyDeletion", params{"KeyId": key, "PendingWindowInDays": "7"})
	h.fails(t, CodeRejectedStateModifiedFailed, "ImportKeyMaterial", h.importParams(t, key, "RSAES_OAEP_SHA_256", testMaterial))
	before := h.ok(t, "DescribeKey", params{"KeyId": key}).text("KeyMetadata.DeleteDate")
	h.ok(t, "DeleteKeyMaterial", params{"KeyId": key})
	if r := h.ok(t, "DescribeKey", params{"KeyId": key}); r.text("KeyMetadata.KeyState") != "PendingDeletion" || r.text("KeyMetadata.DeleteDate") != before {
		t.Error(r.raw)
	}
	h.ok(t, "CancelKeyDeletion", params{"KeyId": key})
	if r := h.ok(t, "DescribeKey", params{"KeyId": key}); r.text("KeyMetadata.KeyState") != "PendingImport" {
		t.Error(r.raw)
	}
}

// Two keys with the same material have nothing in common: what one sealed the other does not open, and a fingerprint
// is of one key.
func TestSameMaterialInTwoKeys(t *testing.T) {
	h := newHarness(t, Limits{})
	one, two := h.importedKey(t), h.importedKey(t)
	a, b := h.key(t, one), h.key(t, two)
	if string(a.ImportFingerprint) == string(b.ImportFingerprint) || a.PrimaryVersion == b.PrimaryVersion {
		t.Error("two keys share what should be each one's own")
	}
	blob := unb64(t, h.encrypt(t, one, "hello"))
	copy(blob[4+len(testRegionID):], b.ID[:])
	copy(blob[4+len(testRegionID)+16:], b.PrimaryVersion[:])
	h.fails(t, CodeInvalidParameter, "Decrypt", params{"CiphertextBlob": b64(string(blob))})
}

// The public key of the parameters is one that any library reads.
func TestParametersForImport(t *testing.T) {
	h := newHarness(t, Limits{})
	key := h.keyIn(t, "PendingImport")
	r := h.ok(t, "GetParametersForImport", params{"KeyId": key, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"})
	public, err := x509.ParsePKIXPublicKey(unb64(t, r.text("PublicKey")))
	if err != nil || public.(*rsa.PublicKey).N.BitLen() != 2048 || public.(*rsa.PublicKey).E != 65537 {
		t.Fatalf("%v %v", public, err)
	}
	if r.text("TokenExpireTime") != "2026-11-25T08:00:00Z" || r.text("KeyId") != key || len(unb64(t, r.text("ImportToken"))) != importTokenBytes {
		t.Error(r.raw)
	}
	again := h.ok(t, "GetParametersForImport", params{"KeyId": key, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"})
	if again.text("PublicKey") == r.text("PublicKey") || again.text("ImportToken") == r.text("ImportToken") {
		t.Error("two calls gave the same")
	}
	// The wrong algorithm does not decrypt.
	encrypted, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, public.(*rsa.PublicKey), []byte(testMaterial), []byte("a label"))
	if err != nil {
		t.Fatal(err)
	}
	h.fails(t, CodeInvalidKeyMaterial, "ImportKeyMaterial", params{"KeyId": key, "ImportToken": r.text("ImportToken"), "EncryptedKeyMaterial": b64(string(encrypted))})
}

// Of many who ask at once with one token under PKCS #1 v1.5, one gets an answer about the material.
func TestOneQuestionForAToken(t *testing.T) {
	h := newHarness(t, Limits{})
	key := h.importedKey(t) // so that right material of another kind would be told apart, too
	p := h.importParams(t, key, "RSAES_PKCS1_V1_5", strings.Repeat("x", 32))
	codes := make(chan string, 40)
	var wg sync.WaitGroup
	for i := range cap(codes) {
		p := p
		if i%2 == 0 {
			p = with(p, "EncryptedKeyMaterial", b64(string(flipped(unb64(t, p["EncryptedKeyMaterial"])))))
		}
		r := h.request(wire{method: "POST"}, "ImportKeyMaterial", p)
		wg.Go(func() { codes <- h.send(t, h.server, wire{method: "POST"}, r).code })
	}
	wg.Wait()
	close(codes)
	told := 0
	for code := range codes {
		switch code {
		case CodeInvalidKeyMaterial:
			told++
		case CodeInvalidImportToken:
		default:
			t.Errorf("answered with %q", code)
		}
	}
	if told != 1 {
		t.Errorf("%d were told about the material", told)
	}
}

// A token that cannot be used up tells nothing: not when the region takes no writes, nor with a nonce that is used.
func TestNoQuestionWithoutUsingTheToken(t *testing.T) {
	h := newHarness(t, Limits{})
	key := h.keyIn(t, "PendingImport")
	good := h.importParams(t, key, "RSAES_PKCS1_V1_5", testMaterial)
	bad := with(good, "EncryptedKeyMaterial", b64(string(flipped(unb64(t, good["EncryptedKeyMaterial"])))))
	h.proposeErr = cluster.ErrThrottled
	for _, p := range []params{good, bad} {
		h.fails(t, CodeRejectedThrottling, "ImportKeyMaterial", p)
	}
	h.proposeErr = nil
	// The nonce of a write of another node: it decides what comes of the import, and comes after the token.
	other, _ := h.newServer(t, Limits{})
	w := wire{method: "GET"}
	write := h.request(w, "UpdateKeyDescription", params{"KeyId": key, "Description": "x"})
	nonce := write.URL.Query().Get("SignatureNonce")
	if r := h.send(t, other, w, write); r.code != "" {
		t.Fatal(r.raw)
	}
	if r := h.send(t, h.server, w, h.requestWithNonce(nonce, "ImportKeyMaterial", bad)); r.code != CodeInvalidKeyMaterial {
		t.Error(r.raw)
	}
	h.fails(t, CodeInvalidImportToken, "ImportKeyMaterial", good)
}

// Whatever comes after the token was used up is answered with that, and never as what may be repeated as it is.
func TestImportAfterTheTokenWasUsedUp(t *testing.T) {
	h := newHarness(t, Limits{})
	key := h.keyIn(t, "PendingImport")
	for err, code := range map[error]string{
		cluster.ErrThrottled: CodeInvalidImportToken, cluster.ErrUnavailable: CodeInvalidImportToken, cluster.ErrOutcomeUnknown: CodeInternalFailure,
	} {
		p := h.importParams(t, key, "RSAES_PKCS1_V1_5", testMaterial)
		h.errAfter = err
		r := h.fails(t, code, "ImportKeyMaterial", p)
		h.proposeErr = nil
		if code == CodeInvalidImportToken && (r.status != 400 || !strings.Contains(r.message(), "GetParametersForImport")) {
			t.Errorf("%v: %d %s", err, r.status, r.raw)
		}
		h.fails(t, CodeInvalidImportToken, "ImportKeyMaterial", p)
	}
	h.ok(t, "ImportKeyMaterial", h.importParams(t, key, "RSAES_PKCS1_V1_5", testMaterial))
}

// Two first imports at once of the same material both succeed, under one version.
func TestFirstImportsAtOnce(t *testing.T) {
	h := newHarness(t, Limits{})
	for _, second := range []string{testMaterial, strings.Repeat("x", 32)} {
		for _, scheme := range []string{"RSAES_OAEP_SHA_256", "RSAES_PKCS1_V1_5"} {
			key := h.keyIn(t, "PendingImport")
			a, b := h.importParams(t, key, scheme, testMaterial), h.importParams(t, key, scheme, second)
			h.between = func() { h.between = nil; h.ok(t, "ImportKeyMaterial", a) }
			r := h.call(t, "ImportKeyMaterial", b)
			if want := map[bool]string{true: "", false: CodeInvalidKeyMaterial}[second == testMaterial]; r.code != want {
				t.Errorf("%s: %s, want %q", scheme, r.raw, want)
			}
			if got := h.key(t, key); got.Versions != 1 || got.State != store.Enabled {
				t.Errorf("%+v", got)
			}
		}
	}
}

// One key cannot use up the tokens of the region, and one token too many for the region can be asked for later.
func TestTokensAreBounded(t *testing.T) {
	h := newHarness(t, Limits{})
	key := h.keyIn(t, "PendingImport")
	first := h.importParams(t, key, "RSAES_OAEP_SHA_256", testMaterial)
	for range 10 {
		h.importParams(t, key, "RSAES_OAEP_SHA_256", testMaterial)
	}
	h.fails(t, CodeInvalidImportToken, "ImportKeyMaterial", first)
	result := &storepb.Result{Code: storepb.Code_LIMIT, What: "import tokens", Limit: 1}
	h.proposed = func() *storepb.Result { return result }
	h.fails(t, CodeRejectedThrottling, "GetParametersForImport", params{"KeyId": key, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"})
}

// fillTokens gives the region as many import tokens as it may have, ten to a key, and returns the ids of the keys.
func (h *harness) fillTokens(t *testing.T) (keys []string) {
	t.Helper()
	var entries []store.Entry
	add := func(c *storepb.Command) {
		c.Version, c.Id, c.StampUnixMs = commandVersion, randomID(), h.clock.now().UnixMilli()
		data, err := proto.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		h.index++
		entries = append(entries, store.Entry{Index: h.index, Term: 1, Kind: store.Command, Data: data})
	}
	for i := range maxImportTokens {
		if i%10 == 0 {
			id := crypto.NewKeyID()
			keys = append(keys, id.String())
			add(&storepb.Command{Body: &storepb.Command_CreateKey{CreateKey: &storepb.CreateKey{KeyId: id[:], Origin: originExternal}}})
		}
		id, _ := crypto.ParseKeyID(keys[i/10])
		add(&storepb.Command{Body: &storepb.Command_CreateImportToken{CreateImportToken: &storepb.CreateImportToken{
			KeyId: id[:], TokenHash: randomID(), Wrapped: []byte("private key"), Scheme: "RSAES_OAEP_SHA_256", TtlMs: importTokenTime.Milliseconds(),
		}}})
	}
	results, err := h.store.Apply(entries)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.Code != storepb.Code_OK {
			t.Fatal(r)
		}
	}
	return keys
}

// A region that is full of tokens gives a key that has some another for its oldest, and spends no RSA pair on one that has
// none.
func TestImportTokensOfAFullRegion(t *testing.T) {
	h := newHarness(t, Limits{})
	waiting := h.keyIn(t, "PendingImport")
	full := h.fillTokens(t)
	p := params{"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
	for range 2 * keyPairBurst {
		if r := h.fails(t, CodeRejectedThrottling, "GetParametersForImport", with(p, "KeyId", waiting)); !strings.Contains(r.message(), "import tokens") {
			t.Fatal(r.message())
		}
	}
	h.ok(t, "GetParametersForImport", with(p, "KeyId", full[0]))
	if k := h.key(t, full[0]); k.ImportTokens != 10 {
		t.Errorf("%d tokens", k.ImportTokens)
	}
	h.fails(t, CodeRejectedThrottling, "GetParametersForImport", with(p, "KeyId", waiting))
}
