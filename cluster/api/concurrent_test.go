package api

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// Requests at the same time share pools and views, but never what is in them: each opens what it sealed, in its own context,
// while keys come and go and change their state.
func TestConcurrentRequests(t *testing.T) {
	h := newHarness(t, Limits{})
	key, toggled := h.newKey(t), h.newKey(t)
	const callers, rounds = 8, 8
	var wait sync.WaitGroup
	for caller := range callers {
		wait.Go(func() {
			for round := range rounds {
				plaintext := strings.Repeat(fmt.Sprintf("%d-%d ", caller, round), 1+caller*40)
				name := fmt.Sprintf(`{"caller":"%d"}`, caller)
				w := wires[(caller+round)%len(wires)]
				sealed := h.callBy(t, w, "Encrypt", params{"KeyId": key, "Plaintext": b64(plaintext), "EncryptionContext": name})
				opened := h.callBy(t, w, "Decrypt", params{"CiphertextBlob": sealed.text("CiphertextBlob"), "EncryptionContext.caller": fmt.Sprint(caller)})
				if opened.text("Plaintext") != b64(plaintext) {
					t.Errorf("caller %d opened %.200s", caller, opened.raw)
				}
				moved := h.callBy(t, w, "ReEncrypt", params{"CiphertextBlob": sealed.text("CiphertextBlob"), "DestinationKeyId": key, "SourceEncryptionContext": name})
				opened = h.callBy(t, w, "Decrypt", params{"CiphertextBlob": moved.text("CiphertextBlob")})
				if opened.text("Plaintext") != b64(plaintext) {
					t.Errorf("caller %d opened %.200s after ReEncrypt", caller, opened.raw)
				}
			}
		})
	}
	wait.Go(func() {
		for range rounds {
			h.call(t, "DisableKey", params{"KeyId": toggled})
			if r := h.call(t, "Encrypt", params{"KeyId": toggled, "Plaintext": "AA=="}); r.code != CodeRejectedDisabled {
				t.Errorf("a disabled key answers %s", r.raw)
			}
			h.call(t, "EnableKey", params{"KeyId": toggled})
			if r := h.call(t, "Encrypt", params{"KeyId": toggled, "Plaintext": "AA=="}); r.code != "" {
				t.Errorf("an enabled key answers %s", r.raw)
			}
		}
	})
	wait.Wait()
}
