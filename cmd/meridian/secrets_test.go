package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"meridian/cluster/api/client"
	"meridian/cmd/meridian/devregion"
	"meridian/crypto"
	"meridian/crypto/seal"
	"meridian/store"
)

// TestNoSecretLeavesTheServers runs a region through calls of every kind, good
// and bad, through kill -9, restart and a clean stop, and then looks for every
// secret it has seen, and for the region's own keys, in all that was written:
// logs, files, metrics, status and errors.
func TestNoSecretLeavesTheServers(t *testing.T) {
	if !oneByOne {
		t.Skip("one process after the other")
	}
	t.Parallel()
	r := startRegions(t, 1, 3, "log.level=debug")
	region := r.layout.Regions[0]
	var secrets []secret
	plant := func(name string, value []byte) string {
		secrets = append(secrets, newSecret(name, value))
		return base64.StdEncoding.EncodeToString(value)
	}
	var said strings.Builder // everything that servers told, apart from good answers
	secrets = append(secrets, newSecret("the access key's secret", []byte(devregion.AccessKeySecret)))

	c := r.client(region)
	id := makeKey(t, c)
	context1 := fmt.Sprintf(`{"app":%q}`, plant("an encryption context", randomLetters(24)))
	plaintext := plant("a plaintext", randomBytes(64))
	blob := must[cryptAnswer](t, c, "Encrypt", map[string]string{"KeyId": id, "Plaintext": plaintext, "EncryptionContext": context1}).CiphertextBlob
	dataKey := must[cryptAnswer](t, c, "GenerateDataKey", map[string]string{"KeyId": id, "EncryptionContext": context1})
	plantEncoded(t, plant, "a data key", dataKey.Plaintext)
	hidden := must[cryptAnswer](t, c, "GenerateDataKeyWithoutPlaintext", map[string]string{"KeyId": id}).CiphertextBlob
	plantEncoded(t, plant, "a data key made without plaintext", must[cryptAnswer](t, c, "Decrypt", map[string]string{"CiphertextBlob": hidden}).Plaintext)
	must[cryptAnswer](t, c, "Decrypt", map[string]string{"CiphertextBlob": blob, "EncryptionContext": context1})

	// What is refused must not be repeated either.
	refuse := func(action string, params map[string]string) {
		t.Helper()
		if _, err := c.Do(t.Context(), action, params, nil); err == nil {
			t.Errorf("%s was not refused", action)
		} else {
			said.WriteString(err.Error() + "\n")
		}
	}
	refuse("Decrypt", map[string]string{"CiphertextBlob": blob})
	refuse("Decrypt", map[string]string{"CiphertextBlob": blob, "EncryptionContext": `{"app":"` + plant("a wrong context", randomLetters(24)) + `"}`})
	refuse("Decrypt", map[string]string{"CiphertextBlob": plant("a plaintext in a blob's place", randomBytes(40))})
	refuse("Encrypt", map[string]string{"KeyId": id, "Plaintext": plant("too long a plaintext", randomBytes(4097))})
	refuse("Encrypt", map[string]string{"KeyId": "alias/none", "Plaintext": plant("a plaintext for no key", randomBytes(40))})
	noBase64 := randomLetters(31)
	secrets = append(secrets, newSecret("a plaintext that is no Base64", noBase64))
	refuse("Encrypt", map[string]string{"KeyId": id, "Plaintext": string(noBase64) + "!"})
	refuse("Encrypt", map[string]string{"KeyId": id, "Plaintext": plaintext, "EncryptionContext": `["` + plant("a malformed context", randomLetters(24)) + `"]`})
	must[keyAnswer](t, c, "DisableKey", map[string]string{"KeyId": id})
	refuse("Encrypt", map[string]string{"KeyId": id, "Plaintext": plant("a plaintext for a disabled key", randomBytes(40))})
	must[keyAnswer](t, c, "EnableKey", map[string]string{"KeyId": id})
	said.WriteString(strangers(t, region, plant))

	// Faults: a kill, a restart, an election.
	leader := r.leader(region)
	r.kill(leader)
	must[cryptAnswer](t, r.client(region, others(region, leader)...), "Decrypt", map[string]string{"CiphertextBlob": blob, "EncryptionContext": context1})
	r.start(leader)
	r.waitReady(leader)
	for _, n := range region.Nodes {
		for _, path := range []string{"/metrics", "/status", "/healthz", "/readyz"} {
			_, text := r.get(n, path)
			said.WriteString(text)
		}
	}
	r.stop(region.Nodes...)

	secrets = append(secrets, regionKeys(t, region)...)
	for _, s := range secrets {
		if forms := s.findIn([]byte(said.String())); len(forms) > 0 {
			t.Errorf("an error, a metric or a status holds %s (%s)", s.name, strings.Join(forms, ", "))
		}
	}
	files := searchFiles(t, r.layout.Dir, secrets, func(path string) bool {
		name := filepath.Base(path) // files whose purpose it is
		return name == "root.key" || name == "root.secret"
	})
	if files < 20 {
		t.Errorf("only %d files were searched", files)
	}
	if len(secrets) < 15 {
		t.Errorf("only %d secrets were looked for", len(secrets))
	}
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

// randomText is random letters, fit for JSON.
func randomLetters(n int) []byte { return []byte(rand.Text() + rand.Text())[:n] }

func plantEncoded(t *testing.T, plant func(string, []byte) string, name, encoded string) {
	t.Helper()
	value, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(value) < 16 {
		t.Fatalf("%s: %d bytes, %v", name, len(value), err)
	}
	plant(name, value)
}

// strangers sends requests that fail before anybody is known: a wrong secret,
// no signature, a body that is no form. It answers what was said to that, apart
// from the text to sign of a wrong signature, which is its caller's.
func strangers(t *testing.T, region *devregion.Region, plant func(string, []byte) string) string {
	t.Helper()
	var said strings.Builder
	node := region.Nodes[0]
	for _, scheme := range []client.Signature{client.V1, client.V3} {
		stranger, err := client.New(client.Config{
			Endpoints: []string{node.HTTPEndpoint()}, AccessKeyID: devregion.AccessKeyID,
			Secret: crypto.Secret(plant("a stranger's secret", randomLetters(32))), Signature: scheme,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer stranger.Close()
		_, err = stranger.Do(t.Context(), "Encrypt", map[string]string{"KeyId": "alias/none", "Plaintext": plant("a stranger's plaintext", randomBytes(40))}, nil)
		if err == nil {
			t.Error("a wrong signature was accepted")
		} else {
			said.WriteString(err.Error())
		}
	}
	query := url.Values{"Action": {"Encrypt"}, "KeyId": {"alias/none"}, "Plaintext": {plant("an unsigned plaintext", randomBytes(40))}}
	for _, send := range []func(ctx context.Context) (*http.Request, error){
		func(ctx context.Context) (*http.Request, error) {
			return http.NewRequestWithContext(ctx, http.MethodGet, node.HTTPEndpoint()+"/?"+query.Encode(), nil)
		},
		func(ctx context.Context) (*http.Request, error) {
			return http.NewRequestWithContext(ctx, http.MethodPost, node.HTTPEndpoint()+"/", strings.NewReader(`{"Plaintext":"`+query.Get("Plaintext")+`"}`))
		},
		func(ctx context.Context) (*http.Request, error) {
			return http.NewRequestWithContext(ctx, http.MethodPut, node.HTTPEndpoint()+"/elsewhere?"+query.Encode(), nil)
		},
	} {
		req, err := send(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode == http.StatusOK {
			t.Errorf("an unsigned request: status %d, %v", resp.StatusCode, err)
		}
		said.Write(text)
	}
	return said.String()
}

// regionKeys opens a stopped region's keys, from the root key down: the root
// key, the key-encryption key, and the material of every key.
func regionKeys(t *testing.T, region *devregion.Region) []secret {
	t.Helper()
	path := filepath.Join(region.Dir, "root.key")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\nkey: ")
	encoded, _, _ := strings.Cut(rest, "\n")
	rootKey, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(rootKey) != 32 {
		t.Fatalf("the root key has %d bytes: %v", len(rootKey), err)
	}
	keys := []secret{newSecret("the root key", rootKey)}

	provider, err := seal.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer provider.Close()
	state, err := store.Open(store.Config{Path: filepath.Join(region.Nodes[0].DataDir, "state.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	view, err := state.View()
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	of, _ := view.Region()
	wrapped := of.Keyrings[0]
	keyring, err := provider.Unwrap(t.Context(), seal.Wrapped{Provider: wrapped.Provider, KeyID: wrapped.KeyID, Ciphertext: wrapped.Ciphertext},
		seal.KeyringAAD(of.Region, of.ClusterID))
	if err != nil {
		t.Fatal(err)
	}
	keys = append(keys, newSecret("the key-encryption key", keyring[len(keyring)-32:]))
	ring, err := crypto.ParseKeyring(keyring)
	if err != nil {
		t.Fatal(err)
	}
	defer ring.Close()
	all, _, err := view.Keys(0, 100, nil)
	if err != nil || len(all) == 0 {
		t.Fatalf("%d keys, %v", len(all), err)
	}
	for _, k := range all {
		version, err := view.Version(k.ID, k.PrimaryVersion)
		if err != nil {
			t.Fatal(err)
		}
		material, err := ring.Unwrap(crypto.MaterialOf(of.Region, k.ID, version.ID, version.Algorithm), version.Wrapped)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, newSecret("the material of key "+k.ID.String(), material))
	}
	return keys
}
