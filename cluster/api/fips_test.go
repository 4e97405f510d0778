package api

import (
	"bytes"
	"crypto/fips140"
	"crypto/rand"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"meridian/cluster/api/batch"
	"meridian/crypto"
	"meridian/store/storepb"
)

// TestFIPS runs itself again under both modes of GODEBUG=fips140.
func TestFIPS(t *testing.T) {
	for mode, name := range map[string]string{"on": "TestInFIPSMode", "only": "TestInFIPSOnlyMode"} {
		c := exec.Command(os.Args[0], "-test.run", "^"+name+"$", "-test.v")
		c.Env = append(os.Environ(), "GODEBUG=fips140="+mode)
		out, err := c.CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte("--- PASS: "+name)) {
			t.Errorf("fips140=%s: %v\n%s", mode, err, out)
		}
	}
}

// With the module on, everything works.
func TestInFIPSMode(t *testing.T) {
	if !fips140.Enabled() || fips140.Enforced() {
		t.Skip("run by TestFIPS")
	}
	h := newHarness(t, Limits{})
	for i := range Actions() {
		a := &Actions()[i]
		for _, w := range wires {
			if r := h.callBy(t, w, a.Name, scenes[a.Name](t, h)); r.code != alwaysRefused[a.Name] {
				t.Errorf("%s %v: %s", a.Name, w, r.raw)
			}
		}
	}
	for _, s := range keySpecs {
		for _, usage := range usages(s.algorithm) {
			h.newKeyOf(t, s.name, usage)
		}
	}
}

// In the mode that allows nothing else, the approved part works, and the rest is refused by name.
func TestInFIPSOnlyMode(t *testing.T) {
	if !fips140.Enforced() {
		t.Skip("run by TestFIPS")
	}
	h := newHarness(t, Limits{})
	call := func(action string, p params) reply {
		t.Helper()
		r := h.send(t, h.server, wire{method: http.MethodPost, v3: true}, h.request(wire{method: http.MethodPost, v3: true}, action, p))
		checkCode(t, action, r.code)
		if r.code == CodeInternalFailure {
			t.Errorf("%s: %s", action, r.raw)
		}
		return r
	}
	refused := func(code, name, action string, p params) {
		t.Helper()
		if r := call(action, p); r.code != code || !strings.Contains(r.message(), name) || !strings.Contains(r.message(), "FIPS-only") {
			t.Errorf("%s: %s, want %s naming %s", action, r.raw, code, name)
		}
	}
	versionOf := func(key string) string {
		return call("ListKeyVersions", params{"KeyId": key}).list("KeyVersions", "KeyVersion", "KeyVersionId")[0]
	}
	for _, s := range keySpecs {
		if !approvedSpecs[s.name] {
			refused(CodeInvalidParameter, s.name, "CreateKey", params{"KeySpec": s.name})
			old := h.keyFromBefore(t, s)
			if s.algorithm.Symmetric() {
				refused(CodeUnsupportedOperation, s.name, "Encrypt", params{"KeyId": old, "Plaintext": "AA=="})
				continue
			}
			refused(CodeRejectedUnsupportedOperation, s.name, "GetPublicKey", params{"KeyId": old, "KeyVersionId": versionOf(old)})
			continue
		}
		for _, usage := range usages(s.algorithm) {
			key := call("CreateKey", params{"KeySpec": s.name, "KeyUsage": usage}).text("KeyMetadata.KeyId")
			p := params{"KeyId": key, "KeyVersionId": versionOf(key)}
			switch {
			case s.algorithm.Symmetric():
				blob := call("Encrypt", params{"KeyId": key, "Plaintext": "AA=="}).text("CiphertextBlob")
				if r := call("Decrypt", params{"CiphertextBlob": blob}); r.text("Plaintext") != "AA==" {
					t.Error(r.raw)
				}
			case usage == usageSign:
				for _, algorithm := range words(s.algorithm.SignatureSchemes()) {
					p := with(p, "Algorithm", algorithm, "Digest", testDigest)
					value := call("AsymmetricSign", p).text("Value")
					if r := call("AsymmetricVerify", with(p, "Value", value)); r.body["Value"] != true {
						t.Errorf("%s: %s", algorithm, r.raw)
					}
				}
			default:
				blob := call("AsymmetricEncrypt", with(p, "Algorithm", "RSAES_OAEP_SHA_256", "Plaintext", "AA==")).text("CiphertextBlob")
				if r := call("AsymmetricDecrypt", with(p, "Algorithm", "RSAES_OAEP_SHA_256", "CiphertextBlob", blob)); r.text("Plaintext") != "AA==" {
					t.Error(r.raw)
				}
				refused(CodeInvalidParameter, "RSAES_OAEP_SHA_1", "AsymmetricEncrypt", with(p, "Algorithm", "RSAES_OAEP_SHA_1", "Plaintext", "AA=="))
				refused(CodeInvalidParameter, "RSAES_OAEP_SHA_1", "AsymmetricDecrypt", with(p, "Algorithm", "RSAES_OAEP_SHA_1", "CiphertextBlob", blob))
				if r := call("ReEncrypt", params{
					"CiphertextBlob": blob, "SourceKeyId": key, "SourceKeyVersionId": p["KeyVersionId"], "SourceEncryptionAlgorithm": "RSAES_OAEP_SHA_256",
					"DestinationKeyId": call("CreateKey", nil).text("KeyMetadata.KeyId"),
				}); r.code != "" {
					t.Error(r.raw)
				}
			}
		}
	}
	h.importInFIPSOnlyMode(t, call, refused)
	h.batchesInFIPSOnlyMode(t, call)
	blob := call("Encrypt", params{"KeyId": call("CreateKey", nil).text("KeyMetadata.KeyId"), "Plaintext": "AA=="}).text("CiphertextBlob")
	export := params{"CiphertextBlob": blob, "PublicKeyBlob": testPublicKey(t), "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
	if r := call("ExportDataKey", export); r.code != "" {
		t.Error(r.raw)
	}
	refused(CodeInvalidParameter, "RSAES_OAEP_SHA_1", "ExportDataKey", with(export, "WrappingAlgorithm", "RSAES_OAEP_SHA_1"))
	refused(CodeInvalidParameter, "EC_SM2", "ExportDataKey", with(export, "WrappingKeySpec", "EC_SM2", "WrappingAlgorithm", "SM2PKE"))
	for i := range keySpecs {
		if s := keySpecs[i]; (s.algorithm.Available() == nil) != approvedSpecs[s.name] {
			t.Errorf("%s: %v", s.name, s.algorithm.Available())
		}
	}
}

// batchesInFIPSOnlyMode moves a data key, and sends messages that are too short for a key of tags: HMAC panics on a key
// that this mode forbids.
func (h *harness) batchesInFIPSOnlyMode(t *testing.T, call func(string, params) reply) {
	t.Helper()
	b := &batches{harness: h}
	b.serve(t)
	b.rotateTransport(t)
	key := call("CreateKey", nil).text("KeyMetadata.KeyId")
	row := sealed{call("Encrypt", params{"KeyId": key, "Plaintext": "AA=="}).text("CiphertextBlob"), ``}
	message, exported := b.export(t, b.exportBody(t, row))
	answer, err := b.rows(t, "ImportDataKeys", importBody(t, message, sealedFor{key, ``}))
	if err != nil {
		t.Fatal(err)
	}
	if all := outcomes(t, batch.NewReader(answer), true); len(all) != 1 || all[0].tag != exported[0].tag {
		t.Errorf("%+v; exported %+v", all, exported)
	}
	public, err := crypto.ParseTransportPublic(b.public)
	if err != nil {
		t.Fatal(err)
	}
	journey := crypto.Journey{From: testRegionID, To: testRegionID, Version: 1, Purpose: crypto.CarriesDataKeys}
	for _, n := range []int{0, crypto.TagKeyBytes - 1} {
		if message, err = public.Seal(journey, make([]byte, n)); err != nil {
			t.Fatal(err)
		}
		if _, err := b.rows(t, "ImportDataKeys", importBody(t, message, sealedFor{key, ``})); refusal(err) != CodeParseRequestParameterException {
			t.Errorf("a message of %d bytes: %v", n, err)
		}
	}
}

func (h *harness) importInFIPSOnlyMode(t *testing.T, call func(string, params) reply, refused func(code, name, action string, p params)) {
	t.Helper()
	key := call("CreateKey", params{"Origin": "EXTERNAL"}).text("KeyMetadata.KeyId")
	wrapping := params{"KeyId": key, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
	r := call("GetParametersForImport", wrapping)
	public, err := crypto.ParsePublicKey(crypto.AlgorithmRSA2048, unb64(t, r.text("PublicKey")))
	if err != nil {
		t.Fatal(err)
	}
	encrypted, err := public.Encrypt(crypto.RSAESOAEPSHA256, []byte(testMaterial))
	if err != nil {
		t.Fatal(err)
	}
	imported := call("ImportKeyMaterial", params{"KeyId": key, "ImportToken": r.text("ImportToken"), "EncryptedKeyMaterial": b64(string(encrypted))})
	if imported.code != "" {
		t.Error(imported.raw)
	}
	for _, scheme := range []string{"RSAES_OAEP_SHA_1", "RSAES_PKCS1_V1_5"} {
		refused(CodeInvalidParameter, scheme, "GetParametersForImport", with(wrapping, "WrappingAlgorithm", scheme))
	}
}

// keyFromBefore puts a key into the state that was made when its spec was served.
func (h *harness) keyFromBefore(tb testing.TB, s keySpec) string {
	tb.Helper()
	id, version, material := crypto.NewKeyID(), crypto.NewVersionID(), make([]byte, 32)
	rand.Read(material)
	wrapped, err := h.keyring.Wrap(crypto.MaterialOf(testRegionID, id, version, s.algorithm), material)
	if err != nil {
		tb.Fatal(err)
	}
	h.mustPropose(tb, &storepb.Command{Version: commandVersion, Body: &storepb.Command_CreateKey{CreateKey: &storepb.CreateKey{
		KeyId: id[:], VersionId: version[:], Algorithm: uint32(s.algorithm), Wrapped: wrapped, Spec: s.name, Usage: slices.Clone(usages(s.algorithm))[0],
		Origin: originOwn, ProtectionLevel: levelSoftware, Creator: testAccount,
	}}})
	return id.String()
}
