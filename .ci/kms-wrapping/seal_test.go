// Package wrapping has the seal of Vault and OpenBao keep a root key under a Meridian key, unchanged:
// github.com/hashicorp/go-kms-wrapping/wrappers/alicloudkms/v2, what their seal "alicloudkms" runs on.
package wrapping

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"strings"
	"testing"

	wrapping "github.com/hashicorp/go-kms-wrapping/v2"
	"github.com/hashicorp/go-kms-wrapping/wrappers/alicloudkms/v2"
	"google.golang.org/protobuf/proto"
)

// stanza is what an operator writes into the seal "alicloudkms" of the server's configuration.
func stanza(t *testing.T, r region, node int, key string) map[string]string {
	t.Helper()
	return map[string]string{
		"region":     r.ID,
		"domain":     r.domain(t, node),
		"access_key": r.AccessKeyID,
		"secret_key": r.AccessKeySecret,
		"kms_key_id": key,
	}
}

// vault is a server that has just read its configuration.
type vault struct {
	t       *testing.T
	wrapper *alicloudkms.Wrapper
}

func start(t *testing.T, stanza map[string]string) vault {
	t.Helper()
	wrapper, err := tryStart(t, stanza)
	if err != nil {
		t.Fatalf("seal with the domain %s: %v", stanza["domain"], err)
	}
	return vault{t, wrapper}
}

// tryStart reads the configuration alone: what the environment of the tests may hold goes before it.
func tryStart(t *testing.T, stanza map[string]string) (*alicloudkms.Wrapper, error) {
	t.Helper()
	for _, name := range []string{"ALICLOUD_ACCESS_KEY", "ALICLOUD_SECRET_KEY"} {
		t.Setenv(name, "")
	}
	wrapper := alicloudkms.NewWrapper()
	config, err := wrapper.SetConfig(t.Context(), wrapping.WithConfigMap(stanza), wrapping.WithDisallowEnvVars(true))
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"region", "domain", "kms_key_id"} {
		if config.Metadata[name] != stanza[name] {
			t.Errorf("the seal says %s of %s, want %s", config.Metadata[name], name, stanza[name])
		}
	}
	return wrapper, nil
}

// keep seals the root key and returns what the server writes into its storage.
func (v vault) keep(root []byte) []byte {
	v.t.Helper()
	blob, err := v.wrapper.Encrypt(v.t.Context(), root)
	if err != nil {
		v.t.Fatalf("seal: %v", err)
	}
	if bytes.Contains(blob.Ciphertext, root) || bytes.Contains(blob.KeyInfo.WrappedKey, root) {
		v.t.Fatal("the sealed root key holds the root key")
	}
	stored, err := proto.Marshal(blob)
	if err != nil {
		v.t.Fatal(err)
	}
	return stored
}

// unseal opens what is in the storage, as the server does when it starts.
func (v vault) unseal(stored []byte) []byte {
	v.t.Helper()
	root, err := v.tryUnseal(stored)
	if err != nil {
		v.t.Fatalf("unseal: %v", err)
	}
	return root
}

func (v vault) tryUnseal(stored []byte) ([]byte, error) {
	v.t.Helper()
	return v.wrapper.Decrypt(v.t.Context(), v.blob(stored))
}

func (v vault) blob(stored []byte) *wrapping.BlobInfo {
	v.t.Helper()
	blob := new(wrapping.BlobInfo)
	if err := proto.Unmarshal(stored, blob); err != nil {
		v.t.Fatal(err)
	}
	return blob
}

// sealedUnder is the key of a stored root key; the server seals anew when the seal uses another.
func (v vault) sealedUnder(stored []byte) string {
	v.t.Helper()
	return v.blob(stored).KeyInfo.KeyId
}

func (v vault) keyID() string {
	v.t.Helper()
	id, err := v.wrapper.KeyId(v.t.Context())
	if err != nil {
		v.t.Fatal(err)
	}
	return id
}

// healthy does what the server does at start and every few minutes: it wraps something and unwraps it.
func (v vault) healthy(ctx context.Context) error {
	probe := []byte("Heartbeat " + randomHex(v.t, 16))
	blob, err := v.wrapper.Encrypt(ctx, probe)
	if err != nil {
		return err
	}
	opened, err := v.wrapper.Decrypt(ctx, blob)
	if err == nil && !bytes.Equal(opened, probe) {
		v.t.Errorf("the seal opens %q, want %q", opened, probe)
	}
	return err
}

func refused(t *testing.T, what string, err error, code string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), code) {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

func randomBytes(t *testing.T, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return b
}

func randomHex(t *testing.T, n int) string {
	t.Helper()
	return hex.EncodeToString(randomBytes(t, n))
}
