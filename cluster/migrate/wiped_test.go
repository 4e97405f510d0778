package migrate

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"meridian/cluster/api/client"
	"meridian/cluster/clustertest/leftover"
)

// blind has one action of a cloud answered by the test, which holds no data key as it is: those of a cloud lie around in
// its memory.
func (c *cloud) blind(t *testing.T, action string, answer func(form map[string]string) (json any)) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("x-acs-action") != action {
			c.serve(w, r)
			return
		}
		form := map[string]string{}
		if err := r.ParseForm(); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		for name := range r.Form {
			form[name] = r.Form.Get(name)
		}
		_ = json.NewEncoder(w).Encode(answer(form))
	}))
	t.Cleanup(s.Close)
	c.servers = []*httptest.Server{s}
}

// base64Of is a secret as it travels.
func base64Of(s leftover.Secret) string {
	plain := s.AppendTo(make([]byte, 0, len(s)))
	defer clear(plain)
	return base64.StdEncoding.EncodeToString(plain)
}

// A data key that was moved by way of this process is not left in its memory, whether the destination took it or not. Its
// Base64 is: HTTP has it.
func TestPlaintextIsWiped(t *testing.T) {
	for name, status := range map[string]int{"moved": 0, "refused": http.StatusForbidden} {
		t.Run(name, func(t *testing.T) {
			from, to := newCloud(t, "cn-a", 1), newCloud(t, "cn-b", 1)
			dataKey := leftover.New(48)
			row, sealed := from.row(t, "another", ""), to.row(t, "another", "")
			from.blind(t, "Decrypt", func(map[string]string) any { return map[string]string{"Plaintext": base64Of(dataKey)} })
			var blob struct{ Ciphertext []byte }
			if err := json.Unmarshal([]byte(sealed), &blob); err != nil {
				t.Fatal(err)
			}
			given := make(chan string, 100)
			if status == 0 {
				to.blind(t, "Encrypt", func(form map[string]string) any {
					given <- form["Plaintext"]
					return map[string][]byte{"CiphertextBlob": blob.Ciphertext}
				})
			}
			to.refuse = func(action string, _ int, form map[string]string) (int, string) {
				if action == "Encrypt" {
					given <- form["Plaintext"]
					return status, "AccessDeniedError"
				}
				return 0, ""
			}
			way := newPlaintextWay(t, from, to)
			memory := leftover.After(t, func() {
				last, err := Run(t.Context(), testConfig(t, t.TempDir(), []byte(row+"\n"), way))
				want := Counts{Moved: 1}
				if status != 0 {
					want = Counts{Failed: 1}
				}
				if err != nil || last.Counts != want {
					t.Fatalf("%+v, %v", last, err)
				}
			})
			if len(given) == 0 || <-given != base64Of(dataKey) {
				t.Error("the destination was not given the data key")
			}
			if dataKey.In(memory) {
				t.Error("the data key is left in memory")
			}
		})
	}
}

// Data keys that were compared in this process are not left in its memory.
func TestComparedDataKeysAreWiped(t *testing.T) {
	from, to := newCloud(t, "cn-a", 1), newCloud(t, "cn-b", 1)
	before, after := leftover.New(48), leftover.New(48)
	rows := [2]string{from.row(t, "another", "") + "\n", to.row(t, "another", "") + "\n"}
	for c, dataKey := range map[*cloud]leftover.Secret{from: before, to: after} {
		c.blind(t, "ExportDataKey", func(form map[string]string) any {
			der, err := base64.StdEncoding.DecodeString(form["PublicKeyBlob"])
			if err != nil {
				return nil
			}
			public, err := x509.ParsePKIXPublicKey(der)
			if err != nil {
				return nil
			}
			plain := dataKey.AppendTo(make([]byte, 0, len(dataKey)))
			defer clear(plain)
			exported, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, public.(*rsa.PublicKey), plain, nil)
			if err != nil {
				return nil
			}
			return map[string][]byte{"ExportedDataKey": exported}
		})
	}
	way := newTestWay(t, from, to)
	memory := leftover.After(t, func() {
		pairs := PairFormats(NewJSONLines(strings.NewReader(rows[0]), DefaultColumns), NewJSONLines(strings.NewReader(rows[1]), DefaultColumns))
		v, err := way.Verify(t.Context(), pairs, func() bool { return true }, 1)
		if err != nil || v.Checked != 1 || v.Equal != 0 || len(v.Failures) != 1 || v.Failures[0].Code != FaultDiffers {
			t.Fatalf("%+v, %v", v, err)
		}
	})
	for name, dataKey := range map[string]leftover.Secret{"before": before, "after": after} {
		if dataKey.In(memory) {
			t.Errorf("the data key %s the move is left in memory", name)
		}
	}
}

// heldText keeps the text of an answer where it is.
type heldText struct{ text []byte }

func (k *heldText) UnmarshalJSON(text []byte) error {
	if !bytes.Contains(text, []byte(`"KeyState"`)) {
		return errors.New("it is another answer")
	}
	k.text = text
	return nil
}

// The text of an answer, which may hold a plaintext, is wiped as soon as it is read.
func TestAnswersAreWiped(t *testing.T) {
	c := newCloud(t, "cn-a", 1)
	var k heldText
	if err := c.region(t).Call(t.Context(), "DescribeKey", map[string]string{"KeyId": "alias/pay"}, &k); err != nil {
		t.Fatal(err)
	}
	if len(k.text) == 0 || len(bytes.Trim(k.text, "\x00")) != 0 {
		t.Errorf("of the answer is left: %q", k.text)
	}
}

// An error of the destination carries nothing of the text that was signed, which may hold the plaintext, but status and
// code.
func TestSignedTextIsLeftOut(t *testing.T) {
	from, to := newCloud(t, "cn-a", 1), newCloud(t, "cn-b", 1)
	to.refuse = func(action string, _ int, _ map[string]string) (int, string) {
		if action == "Encrypt" {
			return http.StatusForbidden, "SignatureDoesNotMatch"
		}
		return 0, ""
	}
	_, err := Run(t.Context(), testConfig(t, t.TempDir(), []byte(from.row(t, "data key", "")+"\n"), newPlaintextWay(t, from, to)))
	var answer *client.Error
	if !errors.As(err, &answer) || answer.Code != "SignatureDoesNotMatch" || answer.Status != http.StatusForbidden || !strings.Contains(answer.Message, "not shown") {
		t.Fatalf("%v", err)
	}
	if answer.Signed != "" {
		t.Errorf("it carries %q", answer.Signed)
	}
	// So it is with a scheme that signs the parameters themselves.
	const text = "c2VjcmV0"
	kept := &client.Error{Code: "SignatureDoesNotMatch", Message: "they differ", Recommend: "look", RequestID: "r", HostID: "h", Status: 400, Endpoint: "e", Signed: "POST&%2F&Plaintext%3D" + text}
	want := client.Error{Code: kept.Code, Status: kept.Status, Endpoint: kept.Endpoint, Message: answer.Message}
	if err := withoutText(fmt.Errorf("calling: %w", kept), text); !errors.As(err, &answer) || *answer != want {
		t.Errorf("%+v, want %+v", answer, want)
	}
	if kept.Signed == "" {
		t.Error("the error itself was changed")
	}
}
