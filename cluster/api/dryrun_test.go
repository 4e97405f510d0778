package api

import (
	"strings"
	"testing"
)

// A dry run always fails: the code says whether the call would have succeeded.
func TestDryRun(t *testing.T) {
	h := newHarness(t, Limits{})
	key, disabled := h.newKey(t), h.keyIn(t, "Disabled")
	blob := h.encrypt(t, key, "hello")
	good := map[string]params{
		"Encrypt": {"KeyId": key, "Plaintext": "AA=="}, "Decrypt": {"CiphertextBlob": blob}, "GenerateDataKey": {"KeyId": key},
		"GenerateDataKeyWithoutPlaintext": {"KeyId": key}, "ReEncrypt": {"CiphertextBlob": blob, "DestinationKeyId": key},
	}
	for action, p := range good {
		p = with(p, "DryRun", "true")
		r := h.fails(t, CodeDryRunOperationError, action, p)
		if r.status != 412 || strings.Contains(r.raw, `"CiphertextBlob"`) || strings.Contains(r.raw, `"Plaintext"`) {
			t.Errorf("%s: %d %s", action, r.status, r.raw)
		}
		for name := range good[action] {
			if r := h.fails(t, CodeValidationError, action, with(p, name, "-")); r.status != 400 || !strings.Contains(r.message(), name) {
				t.Errorf("%s without %s: %s", action, name, r.raw)
			}
		}
		h.fails(t, CodeInvalidParameter, action, with(p, "DryRun", "TRUE"))
		h.fails(t, CodeInvalidParameter, action, with(p, "DryRun", "1"))
		h.ok(t, action, with(p, "DryRun", "false"))
		h.ok(t, action, with(p, "DryRun", ""))
		h.identity.Root = false
		r = h.fails(t, CodeAccessDeniedError, action, p)
		if r.status != 403 || !strings.Contains(r.message(), "kms:"+action) {
			t.Errorf("%s: %s", action, r.raw)
		}
		h.identity.Root = true
	}
	h.fails(t, CodeRejectedDisabled, "Encrypt", params{"KeyId": disabled, "Plaintext": "AA==", "DryRun": "true"})
	h.fails(t, CodeForbiddenAliasNotFound, "Encrypt", params{"KeyId": "alias/none", "Plaintext": "AA==", "DryRun": "true"})
	h.fails(t, CodeValidationError, "Encrypt", params{"KeyId": key, "Plaintext": "AA==", "DryRun": "true", "EncryptionContext": "[]"})
	h.fails(t, CodeValidationError, "Encrypt", params{"KeyId": key, "Plaintext": "AB==", "DryRun": "true"})
	h.fails(t, CodeValidationError, "Decrypt", params{"CiphertextBlob": "AAAA", "DryRun": "true"})
	h.fails(t, CodeValidationError, "Encrypt", params{"KeyId": "acs:kms:x:1:key/" + key, "Plaintext": "AA==", "DryRun": "true"})
	for spec, scheme := range map[string]string{"RSA_2048": "RSAES_OAEP_SHA_256", "EC_SM2": "SM2PKE"} {
		pair := h.sharedKey(t, spec, "ENCRYPT/DECRYPT")
		version := h.newestVersion(t, pair)
		h.fails(t, CodeValidationError, "AsymmetricDecrypt", params{"KeyId": pair, "KeyVersionId": version, "Algorithm": scheme, "CiphertextBlob": "AAAA", "DryRun": "true"})
		h.fails(t, CodeValidationError, "ReEncrypt", params{
			"SourceKeyId": pair, "SourceKeyVersionId": version, "SourceEncryptionAlgorithm": scheme, "CiphertextBlob": "AAAA", "DestinationKeyId": key, "DryRun": "true",
		})
	}
	h.sealed = true
	h.fails(t, CodeServiceUnavailableTemporary, "Encrypt", params{"KeyId": key, "Plaintext": "AA==", "DryRun": "true"})
}

// Every action with a dry run stops short of its work, and answers nothing of it.
func TestEveryDryRun(t *testing.T) {
	h := newHarness(t, Limits{})
	for i := range Actions() {
		a := &Actions()[i]
		if !a.DryRun {
			continue
		}
		for _, w := range wires {
			p := with(scenes[a.Name](t, h), "DryRun", "true")
			r := h.callBy(t, w, a.Name, p)
			if r.code != CodeDryRunOperationError {
				t.Errorf("%s %v: %s", a.Name, w, r.raw)
			}
			for _, m := range a.Answers {
				if r.body[m.Path] != nil {
					t.Errorf("%s %v answers %s: %s", a.Name, w, m.Path, r.raw)
				}
			}
		}
		p := with(scenes[a.Name](t, h), "DryRun", "true")
		for _, spec := range a.Params {
			if spec.Required {
				if r := h.fails(t, CodeValidationError, a.Name, with(p, spec.Name, "-")); !strings.Contains(r.message(), spec.Name) {
					t.Errorf("%s without %s: %s", a.Name, spec.Name, r.raw)
				}
			}
		}
		h.identity.Root = false
		h.fails(t, CodeAccessDeniedError, a.Name, p)
		h.identity.Root = true
	}
}

// A dry run uses up its nonce.
func TestDryRunUsesNonce(t *testing.T) {
	h := newHarness(t, Limits{})
	w := wire{method: "GET"}
	r := h.request(w, "GenerateDataKey", params{"KeyId": h.newKey(t), "DryRun": "true"})
	if got := h.send(t, h.server, w, r.Clone(t.Context())); got.code != CodeDryRunOperationError {
		t.Fatal(got.raw)
	}
	if got := h.send(t, h.server, w, r); got.code != CodeSignatureNonceUsed {
		t.Error(got.raw)
	}
}
