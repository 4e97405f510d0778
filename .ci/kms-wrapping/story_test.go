package wrapping

import (
	"bytes"
	"testing"

	wrapping "github.com/hashicorp/go-kms-wrapping/v2"
	"github.com/hashicorp/go-kms-wrapping/wrappers/alicloudkms/v2"
)

// TestUnseal seals a root key at each node and opens it at each: a server of three that shares one storage, or one that
// was moved to another node. The key is named in each way that the setting may have.
func TestUnseal(t *testing.T) {
	west, _ := twoRegions(t)
	admin := newAdministrator(t, west, 0)
	alias := "alias/vault-" + randomHex(t, 8)
	key := admin.createKey("seal of a Vault")
	admin.createAlias(alias, key)
	names := []string{alias, key, "acs:kms:" + west.ID + ":" + west.Account + ":key/" + key}
	var servers []vault
	for node, name := range names {
		servers = append(servers, start(t, stanza(t, west, node, name)))
	}
	for node, server := range servers {
		if got := server.keyID(); got != key {
			t.Errorf("the seal that names %s uses key %s, want %s", names[node], got, key)
		}
		if kind, err := server.wrapper.Type(t.Context()); err != nil || kind != wrapping.WrapperTypeAliCloudKms {
			t.Errorf("type %s (%v)", kind, err)
		}
		if err := server.healthy(t.Context()); err != nil {
			t.Errorf("node %d: %v", node, err)
		}
		root := randomBytes(t, 32)
		stored := server.keep(root)
		if got := server.sealedUnder(stored); got != key {
			t.Errorf("sealed under %s, want %s", got, key)
		}
		for _, other := range servers {
			if got := other.unseal(stored); !bytes.Equal(got, root) {
				t.Errorf("another server opens another root key")
			}
		}
	}
}

// TestEnvironment configures the seal as a container does, by environment alone.
func TestEnvironment(t *testing.T) {
	west, _ := twoRegions(t)
	key := newAdministrator(t, west, 0).createKey("seal of a container")
	for name, value := range map[string]string{
		"ALICLOUD_REGION": west.ID, "ALICLOUD_DOMAIN": west.domain(t, 1),
		"ALICLOUD_ACCESS_KEY": west.AccessKeyID, "ALICLOUD_SECRET_KEY": west.AccessKeySecret,
		alicloudkms.EnvVaultAliCloudKmsSealKeyId: key,
	} {
		t.Setenv(name, value)
	}
	wrapper := alicloudkms.NewWrapper()
	if _, err := wrapper.SetConfig(t.Context()); err != nil {
		t.Fatal(err)
	}
	server := vault{t, wrapper}
	root := randomBytes(t, 32)
	if got := server.unseal(server.keep(root)); !bytes.Equal(got, root) {
		t.Error("the server opens another root key")
	}
}

// TestDisabled: a server whose key is disabled starts and says why it stays sealed; enabling the key is all it needs.
func TestDisabled(t *testing.T) {
	west, _ := twoRegions(t)
	admin := newAdministrator(t, west, 1)
	key := admin.createKey("seal that is switched off")
	root := randomBytes(t, 32)
	stored := start(t, stanza(t, west, 0, key)).keep(root)
	switches := []struct {
		name    string
		off, on func(string)
		code    string
	}{
		{"disabled", admin.disable, admin.enable, "Rejected.Disabled"},
		{"to be deleted", admin.scheduleDeletion, admin.cancelDeletion, "Rejected.PendingDeletion"},
	}
	for _, s := range switches {
		s.off(key)
		for node := range 3 {
			server := start(t, stanza(t, west, node, key))
			_, err := server.tryUnseal(stored)
			refused(t, "unseal with a key "+s.name, err, s.code)
			refused(t, "health with a key "+s.name, server.healthy(t.Context()), s.code)
		}
		s.on(key)
		for node := range 3 {
			server := start(t, stanza(t, west, node, key))
			if got := server.unseal(stored); !bytes.Equal(got, root) {
				t.Errorf("node %d opens another root key", node)
			}
			if err := server.healthy(t.Context()); err != nil {
				t.Errorf("node %d: %v", node, err)
			}
		}
	}
}

// TestAnotherKey points the alias of the seal at another key: the server opens what it has, notices by the key's id that
// the seal has moved on, and seals anew. The key of old may then go.
func TestAnotherKey(t *testing.T) {
	west, _ := twoRegions(t)
	admin := newAdministrator(t, west, 2)
	alias := "alias/vault-" + randomHex(t, 8)
	first, second := admin.createKey("first key of a seal"), admin.createKey("second key of a seal")
	admin.createAlias(alias, first)
	root := randomBytes(t, 32)
	running := start(t, stanza(t, west, 0, alias))
	stored := running.keep(root)
	admin.updateAlias(alias, second)

	restarted := start(t, stanza(t, west, 1, alias))
	if got := restarted.keyID(); got != second || restarted.sealedUnder(stored) != first {
		t.Fatalf("the seal uses %s, the root key %s: want %s and %s", got, restarted.sealedUnder(stored), second, first)
	}
	stored = restarted.keep(restarted.unseal(stored))
	if got := restarted.sealedUnder(stored); got != second {
		t.Errorf("sealed under %s, want %s", got, second)
	}
	admin.scheduleDeletion(first)
	if got := running.unseal(stored); !bytes.Equal(got, root) {
		t.Error("the server that did not restart opens another root key")
	}
	if running.keep(root); running.keyID() != second {
		t.Errorf("the server that did not restart seals under %s, want %s", running.keyID(), second)
	}
}

// TestAnotherRegion moves a server to the other region: one seal opens, the other seals. The seal of the other region
// cannot open what it did not seal, and says where that belongs.
func TestAnotherRegion(t *testing.T) {
	west, east := twoRegions(t)
	root := randomBytes(t, 32)
	before := start(t, stanza(t, west, 0, newAdministrator(t, west, 0).createKey("seal in "+west.ID)))
	after := start(t, stanza(t, east, 1, newAdministrator(t, east, 0).createKey("seal in "+east.ID)))
	stored := before.keep(root)
	_, err := after.tryUnseal(stored)
	refused(t, "a root key of the other region", err, "InvalidParameter.WrongRegion")
	refused(t, "a root key of the other region", err, west.ID)
	moved := after.keep(before.unseal(stored))
	if got := after.unseal(moved); !bytes.Equal(got, root) {
		t.Error("the server in the other region opens another root key")
	}
}

// TestRefusals are the mistakes of a configuration: the server does not start, and says why.
func TestRefusals(t *testing.T) {
	west, _ := twoRegions(t)
	key := newAdministrator(t, west, 0).createKey("seal of a careless operator")
	mistakes := []struct{ name, setting, value, code string }{
		{"an unknown key", "kms_key_id", "00000000-0000-4000-8000-000000000000", "Forbidden.KeyNotFound"},
		{"an unknown alias", "kms_key_id", "alias/vault-" + randomHex(t, 8), "Forbidden.AliasNotFound"},
		{"a wrong secret", "secret_key", "not the secret", "SignatureDoesNotMatch"},
		{"an unknown access key", "access_key", "nobody", "InvalidAccessKeyId.NotFound"},
	}
	for _, m := range mistakes {
		settings := stanza(t, west, 0, key)
		settings[m.setting] = m.value
		_, err := tryStart(t, settings)
		refused(t, m.name, err, m.code)
	}
	server := start(t, stanza(t, west, 0, key))
	stored := server.keep(randomBytes(t, 32))
	blob := server.blob(stored)
	blob.KeyInfo.WrappedKey[len(blob.KeyInfo.WrappedKey)/2] ^= 1
	_, err := server.wrapper.Decrypt(t.Context(), blob)
	refused(t, "a damaged root key", err, "InvalidParameter")
}
