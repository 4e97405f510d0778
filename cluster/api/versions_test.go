package api

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"meridian/cluster"
	"meridian/crypto"
	"meridian/store/storepb"
)

// A new version seals from then on; what earlier ones sealed still opens; versions are listed newest first.
func TestCreateKeyVersion(t *testing.T) {
	h := newHarness(t, Limits{})
	for _, spec := range []string{"Aliyun_AES_256", "Aliyun_SM4"} {
		key := h.newKeyOf(t, spec, "")
		h.ok(t, "CreateAlias", params{"AliasName": freshAlias(), "KeyId": key})
		versions, blobs := []string{h.newestVersion(t, key)}, []string{h.encrypt(t, key, "v1")}
		for range 3 {
			h.clock.advance(time.Second)
			r := h.ok(t, "CreateKeyVersion", params{"KeyId": key})
			version := r.text("KeyVersion.KeyVersionId")
			metadata := h.ok(t, "DescribeKey", params{"KeyId": key})
			if metadata.text("KeyMetadata.PrimaryKeyVersion") != version || metadata.text("KeyMetadata.LastRotationDate") != r.text("KeyVersion.CreationDate") {
				t.Errorf("%s is not primary: %s", version, metadata.raw)
			}
			if described := h.ok(t, "DescribeKeyVersion", params{"KeyId": key, "KeyVersionId": version}); described.text("KeyVersion.CreationDate") != r.text("KeyVersion.CreationDate") {
				t.Error(described.raw)
			}
			versions, blobs = append(versions, version), append(blobs, h.encrypt(t, key, "later"))
		}
		for i, blob := range blobs {
			if r := h.ok(t, "Decrypt", params{"CiphertextBlob": blob}); r.text("KeyVersionId") != versions[i] {
				t.Errorf("blob %d: %s", i, r.raw)
			}
		}
		slices.Reverse(versions)
		var listed []string
		for page := range 3 {
			r := h.ok(t, "ListKeyVersions", params{"KeyId": key, "PageNumber": decimal(int64(page + 1)), "PageSize": "3"})
			if r.number("TotalCount") != 4 {
				t.Error(r.raw)
			}
			listed = append(listed, r.list("KeyVersions", "KeyVersion", "KeyVersionId")...)
		}
		if !slices.Equal(listed, versions) {
			t.Errorf("listed %v, want %v", listed, versions)
		}
	}
}

// Versions are bounded for a key and for the region, and have a least time between them.
func TestLimitsOfVersions(t *testing.T) {
	h := newHarness(t, Limits{})
	key := h.newKey(t)
	for range maxVersions - 1 {
		h.ok(t, "CreateKeyVersion", params{"KeyId": key})
	}
	if r := h.fails(t, CodeRejectedLimitExceeded, "CreateKeyVersion", params{"KeyId": key}); !strings.Contains(r.message(), "50 versions") {
		t.Error(r.message())
	}

	h = newHarness(t, Limits{KeyVersions: 2})
	key = h.newKey(t)
	h.ok(t, "CreateKeyVersion", params{"KeyId": key})
	h.fails(t, CodeRejectedLimitExceeded, "CreateKeyVersion", params{"KeyId": key})
	if r := h.fails(t, CodeRejectedLimitExceeded, "CreateKey", nil); !strings.Contains(r.message(), "2 versions of the region") { // first ones count
		t.Error(r.message())
	}
	h.importedKey(t) // a key's one version, and perhaps what much was sealed under

	h = newHarness(t, Limits{VersionInterval: DefaultVersionInterval})
	key = h.newKey(t)
	h.clock.advance(DefaultVersionInterval - time.Millisecond)
	if r := h.fails(t, CodeRejectedUnsupportedOperation, "CreateKeyVersion", params{"KeyId": key}); !strings.Contains(r.message(), "168h") {
		t.Error(r.message())
	}
	h.clock.advance(time.Millisecond)
	h.ok(t, "CreateKeyVersion", params{"KeyId": key})
	h.fails(t, CodeRejectedUnsupportedOperation, "CreateKeyVersion", params{"KeyId": key})
}

// Imported material has one version for ever.
func TestImportedKeysAreNotRotated(t *testing.T) {
	h := newHarness(t, Limits{})
	key := h.importedKey(t)
	if r := h.fails(t, CodeUnsupportedOrigin, "CreateKeyVersion", params{"KeyId": key}); !strings.Contains(r.message(), "EXTERNAL") {
		t.Error(r.message())
	}
	if r := h.fails(t, CodeUnsupportedOrigin, "UpdateRotationPolicy", params{"KeyId": key, "EnableAutomaticRotation": "true", "RotationInterval": "7d"}); !strings.Contains(r.message(), "EXTERNAL") {
		t.Error(r.message())
	}
}

// A version that does not work never becomes the primary one, not even when it was added already.
func TestVersionThatDoesNotWork(t *testing.T) {
	h := newHarness(t, Limits{})
	key := h.newKey(t)
	primary := h.key(t, key).PrimaryVersion
	h.checkErr = errors.New("it does not open what it seals")
	h.fails(t, CodeInternalFailure, "CreateKeyVersion", params{"KeyId": key})
	h.fails(t, CodeInternalFailure, "CreateKey", nil)
	if got := h.key(t, key); got.Versions != 1 || got.PrimaryVersion != primary {
		t.Errorf("%+v", got)
	}
	h.checkErr = nil
	// A node that ended between the two steps left a version behind: the leader finishes what it cannot see the state of.
	left := h.addVersion(t, key)
	if r := h.fails(t, CodeRejectedThrottling, "CreateKeyVersion", params{"KeyId": key}); !strings.Contains(r.message(), key) {
		t.Error(r.message())
	}
	if got := h.key(t, key); got.PrimaryVersion != primary || got.Versions != 2 {
		t.Errorf("%+v", got)
	}
	id, _ := crypto.ParseKeyID(key)
	h.mustPropose(t, &storepb.Command{Version: commandVersion, Body: &storepb.Command_SwitchPrimary{SwitchPrimary: &storepb.SwitchPrimary{
		KeyId: id[:], VersionId: left[:],
	}}})
	h.ok(t, "CreateKeyVersion", params{"KeyId": key})
	if got := h.key(t, key); got.Versions != 3 || !got.NextVersion.IsZero() {
		t.Errorf("%+v", got)
	}
}

// A version whose check fails once it is stored stays out of use.
func TestStoredVersionIsChecked(t *testing.T) {
	h := newHarness(t, Limits{})
	key := h.newKey(t)
	primary := h.key(t, key).PrimaryVersion
	h.checkStored = errors.New("it does not open what it seals")
	h.fails(t, CodeInternalFailure, "CreateKeyVersion", params{"KeyId": key})
	if got := h.key(t, key); got.PrimaryVersion != primary || got.NextVersion.IsZero() {
		t.Errorf("%+v", got)
	}
}

// Once the version is there nobody is told that nothing was done.
func TestHalfAVersionIsNoRefusal(t *testing.T) {
	for _, err := range []error{cluster.ErrUnavailable, cluster.ErrThrottled, cluster.ErrStopped} {
		h := newHarness(t, Limits{})
		key := h.newKey(t)
		h.errAfter = err
		r := h.fails(t, CodeInternalFailure, "CreateKeyVersion", params{"KeyId": key})
		h.proposeErr = nil
		if got := h.key(t, key); !strings.Contains(r.message(), "unknown") || got.Versions != 2 {
			t.Errorf("%v: %s, %+v", err, r.raw, got)
		}
	}
}

// What is refused costs no RSA pair.
func TestRefusedVersionTakesNoPair(t *testing.T) {
	h := newHarness(t, Limits{VersionInterval: DefaultVersionInterval})
	key := h.newKeyOf(t, "RSA_2048", "ENCRYPT/DECRYPT")
	for range 2 * keyPairBurst {
		h.fails(t, CodeRejectedUnsupportedOperation, "CreateKeyVersion", params{"KeyId": key})
	}
	for what, limits := range map[string]Limits{"keys": {Keys: 1}, "versions of the region": {KeyVersions: 1}} {
		h := newHarness(t, limits)
		key := h.newKeyOf(t, "RSA_2048", "ENCRYPT/DECRYPT")
		for range 2 * keyPairBurst {
			r := h.fails(t, CodeRejectedLimitExceeded, "CreateKey", params{"KeySpec": "RSA_2048"})
			if !strings.Contains(r.message(), what) {
				t.Fatal(r.message())
			}
			if what != "keys" {
				h.fails(t, CodeRejectedLimitExceeded, "CreateKeyVersion", params{"KeyId": key})
			}
		}
	}
}

// addVersion does the first half of a rotation.
func (h *harness) addVersion(tb testing.TB, key string) crypto.VersionID {
	tb.Helper()
	k, version := h.key(tb, key), crypto.NewVersionID()
	wrapped, err := h.Wrap(h.binding(k.ID, version), crypto.NewMaterial(crypto.AlgorithmXAES256GCM))
	if err != nil {
		tb.Fatal(err)
	}
	h.mustPropose(tb, &storepb.Command{Version: commandVersion, Body: &storepb.Command_AddKeyVersion{AddKeyVersion: &storepb.AddKeyVersion{
		KeyId: k.ID[:], VersionId: version[:], Wrapped: wrapped, Algorithm: uint32(crypto.AlgorithmXAES256GCM), ExpectedPrimary: k.PrimaryVersion[:],
	}}})
	return version
}

// Between the two steps of a rotation the new version opens and does not seal.
func TestHalfARotation(t *testing.T) {
	h := newHarness(t, Limits{})
	key := h.newKey(t)
	primary, next := h.key(t, key).PrimaryVersion, h.addVersion(t, key)
	if r := h.ok(t, "Encrypt", params{"KeyId": key, "Plaintext": "AA=="}); r.text("KeyVersionId") != primary.String() {
		t.Error(r.raw)
	}
	if r := h.ok(t, "ListKeyVersions", params{"KeyId": key}); r.number("TotalCount") != 2 {
		t.Error(r.raw)
	}
	if r := h.ok(t, "DescribeKey", params{"KeyId": key}); r.text("KeyMetadata.PrimaryKeyVersion") != primary.String() {
		t.Error(r.raw)
	}
	h.ok(t, "DescribeKeyVersion", params{"KeyId": key, "KeyVersionId": next.String()})
}

func TestRotationPolicy(t *testing.T) {
	h := newHarness(t, Limits{})
	key := h.newKey(t)
	set := func(p ...string) reply {
		h.ok(t, "UpdateRotationPolicy", with(params{"KeyId": key}, p...))
		return h.ok(t, "DescribeKey", params{"KeyId": key})
	}
	r := set("EnableAutomaticRotation", "true", "RotationInterval", "365d")
	if r.text("KeyMetadata.AutomaticRotation") != "Enabled" || r.text("KeyMetadata.RotationInterval") != "31536000s" || r.text("KeyMetadata.NextRotationDate") != "2027-11-24T08:00:00Z" {
		t.Error(r.raw)
	}
	if r = set("EnableAutomaticRotation", "false", "RotationInterval", "7d"); r.text("KeyMetadata.AutomaticRotation") != "Disabled" || strings.Contains(r.raw, "NextRotationDate") {
		t.Error(r.raw)
	}
	r = set("EnableAutomaticRotation", "true", "RotationInterval", "7d")
	h.ok(t, "DisableKey", params{"KeyId": key})
	if r = h.ok(t, "DescribeKey", params{"KeyId": key}); r.text("KeyMetadata.AutomaticRotation") != "Suspended" {
		t.Error(r.raw)
	}
}

func TestDeletionProtection(t *testing.T) {
	h := newHarness(t, Limits{})
	key, other := h.newKey(t), h.newKey(t)
	arn := func(id string) string { return "acs:kms:" + testRegionID + ":" + testAccount + ":key/" + id }
	h.ok(t, "SetDeletionProtection", params{"ProtectedResourceArn": arn(key), "EnableDeletionProtection": "true", "DeletionProtectionDescription": "keep"})
	r := h.ok(t, "DescribeKey", params{"KeyId": key})
	if r.text("KeyMetadata.DeletionProtection") != "Enabled" || r.text("KeyMetadata.DeletionProtectionDescription") != "keep" {
		t.Error(r.raw)
	}
	h.fails(t, CodeRejectedDeletionProtection, "ScheduleKeyDeletion", params{"KeyId": key, "PendingWindowInDays": "7"})
	h.ok(t, "SetDeletionProtection", params{"KeyId": key, "ProtectedResourceArn": arn(key), "EnableDeletionProtection": "false", "DeletionProtectionDescription": "keep"})
	if r = h.ok(t, "DescribeKey", params{"KeyId": key}); strings.Contains(r.raw, "keep") {
		t.Error(r.raw)
	}
	h.ok(t, "ScheduleKeyDeletion", params{"KeyId": key, "PendingWindowInDays": "7"})
	for _, c := range []struct {
		p    params
		code string
		name string
	}{
		{params{"KeyId": other, "ProtectedResourceArn": arn(h.newKey(t))}, CodeInvalidParameter, "KeyId"},
		{params{"ProtectedResourceArn": other}, CodeInvalidParameter, "ProtectedResourceArn"},
		{params{}, CodeMissingParameter, "ProtectedResourceArn or KeyId"},
		{params{"ProtectedResourceArn": "acs:kms:cn-shanghai:" + testAccount + ":key/" + other}, CodeInvalidParameterWrongRegion, "ProtectedResourceArn"},
		{params{"ProtectedResourceArn": "acs:kms:" + testRegionID + ":" + testAccount + ":alias/x"}, CodeUnsupportedAlias, ""},
	} {
		if r := h.fails(t, c.code, "SetDeletionProtection", with(c.p, "EnableDeletionProtection", "true")); !strings.Contains(r.message(), c.name) {
			t.Error(r.message())
		}
	}
}
