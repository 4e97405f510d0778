package api

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestCreateKey(t *testing.T) {
	h := newHarness(t, Limits{})
	r := h.ok(t, "CreateKey", params{"Description": "orders <&> \"测试\"", "EnableAutomaticRotation": "TRUE", "RotationInterval": "7d"})
	for member, want := range map[string]string{
		"KeyState": "Enabled", "KeySpec": "Aliyun_AES_256", "KeyUsage": "ENCRYPT/DECRYPT", "Origin": "Aliyun_KMS", "ProtectionLevel": "SOFTWARE",
		"Description": "orders <&> \"测试\"", "Creator": testAccount, "CreationDate": "2026-11-24T08:00:00Z", "DeleteDate": "", "MaterialExpireTime": "",
		"LastRotationDate": "2026-11-24T08:00:00Z", "NextRotationDate": "2026-12-01T08:00:00Z", "AutomaticRotation": "Enabled", "RotationInterval": "604800s",
		"DeletionProtection": "Disabled", "Arn": "acs:kms:cn-hangzhou:1234567890123456:key/" + r.text("KeyMetadata.KeyId"),
	} {
		if got := r.text("KeyMetadata." + member); got != want {
			t.Errorf("%s is %q, want %q", member, got, want)
		}
	}
	id := r.text("KeyMetadata.KeyId")
	described := h.ok(t, "DescribeKey", params{"KeyId": id})
	if cut := func(s string) string { return s[:strings.Index(s, `"RequestId"`)] }; cut(described.raw) != cut(r.raw) {
		t.Errorf("created %s\ndescribed %s", r.raw, described.raw)
	}
	h.ok(t, "DisableKey", params{"KeyId": id})
	if r := h.ok(t, "DescribeKey", params{"KeyId": id}); r.text("KeyMetadata.AutomaticRotation") != "Suspended" || r.text("KeyMetadata.NextRotationDate") == "" {
		t.Errorf("rotation of a disabled key: %s", r.raw)
	}
	external := h.ok(t, "CreateKey", params{"Origin": "EXTERNAL"})
	if external.text("KeyMetadata.KeyState") != "PendingImport" || external.text("KeyMetadata.PrimaryKeyVersion") != "" || external.text("KeyMetadata.Origin") != "EXTERNAL" {
		t.Errorf("external: %s", external.raw)
	}
}

func TestCreateKeyRefusals(t *testing.T) {
	h := newHarness(t, Limits{})
	tags := func(rows ...string) string { return "[" + strings.Join(rows, ",") + "]" }
	tag := func(key, value string) string { return fmt.Sprintf(`{"TagKey":%q,"TagValue":%q}`, key, value) }
	var twentyOne []string
	for i := range 21 {
		twentyOne = append(twentyOne, tag(fmt.Sprint("k", i), "v"))
	}
	statement := `{"Effect":"Allow","Principal":{"RAM":["acs:ram::1:user/a"]},"Action":"kms:*","Resource":"*"}`
	policy := func(statements string) string { return `{"Version":"1","Statement":` + statements + `}` }
	for _, tt := range []struct {
		p    params
		code string
		name string // in the message
	}{
		{params{"KeySpec": "EC_P256", "KeyUsage": "ENCRYPT/DECRYPT"}, CodeInvalidParameter, "KeyUsage"},
		{params{"KeySpec": "Aliyun_SM4", "KeyUsage": "SIGN/VERIFY"}, CodeInvalidParameter, "KeyUsage"},
		{params{"KeySpec": "EC_P256", "Origin": "EXTERNAL"}, CodeInvalidParameter, "Origin"},
		{params{"KeySpec": "EC_SM2", "EnableAutomaticRotation": "true", "RotationInterval": "7d"}, CodeInvalidParameter, "EnableAutomaticRotation"},
		{params{"KeyUsage": "SIGN/VERIFY"}, CodeInvalidParameter, "KeyUsage"},
		{params{"Origin": "external"}, CodeInvalidParameter, "Origin"},
		{params{"ProtectionLevel": "HSM"}, CodeUnsupportedProtectionLevel, "HSM"},
		{params{"EnableAutomaticRotation": "true"}, CodeMissingParameter, "RotationInterval"},
		{params{"EnableAutomaticRotation": "true", "RotationInterval": "7d", "Origin": "EXTERNAL"}, CodeInvalidParameter, "EnableAutomaticRotation"},
		{params{"Tags": tags(twentyOne...)}, CodeInvalidParameter, "Tags"},
		{params{"Tags": tags(tag("a", "1"), tag("a", "2"))}, CodeInvalidParameter, "Tags"},
		{params{"Tags": tags(tag("", "1"))}, CodeInvalidParameter, "the key must"},
		{params{"Tags": tags(tag(strings.Repeat("é", 129), "1"))}, CodeInvalidParameter, "the key must"},
		{params{"Tags": tags(tag("k", strings.Repeat("é", 129)))}, CodeInvalidParameter, "the value must"},
		{params{"Tags": tags(tag("a b", "1"))}, CodeInvalidParameter, "Tags"},
		{params{"Tags": tags(tag("a", "<"))}, CodeInvalidParameter, "Tags"},
		{params{"Tags": tags(tag("aliyun-x", "1"))}, CodeInvalidParameter, "aliyun"},
		{params{"Tags": tags(tag("acs:x", "1"))}, CodeInvalidParameter, "acs:"},
		{params{"Tags": tags(`{"TagKey":"a","TagValue":1}`)}, CodeInvalidParameter, "TagValue"},
		{params{"Tags": tags(`{"tagkey":"a"}`)}, CodeInvalidParameter, "Tags"},
		{params{"Tags": "null"}, CodeInvalidParameter, "Tags"},
		{params{"Policy": policy("[]")}, CodeInvalidParameter, "Policy"},
		{params{"Policy": `{"Version":"2","Statement":[` + statement + `]}`}, CodeInvalidParameter, "Policy"},
		{params{"Policy": policy(`[` + strings.Replace(statement, "Allow", "Maybe", 1) + `]`)}, CodeInvalidParameter, "Effect"},
		{params{"Policy": policy(`[{"Effect":"Allow","Principal":{"RAM":[]},"Action":"*","Resource":"*"}]`)}, CodeInvalidParameter, "Principal"},
		{params{"Policy": policy(`[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]`)}, CodeInvalidParameter, "Principal"},
		{params{"Policy": policy(`[{"Effect":"Allow","Principal":{"RAM":["a"]},"Resource":"*"}]`)}, CodeInvalidParameter, "Action"},
		{params{"Policy": policy(`[{"Effect":"Allow","Principal":{"RAM":["a"]},"Action":"*","Resource":"*","Condition":{}}]`)}, CodeInvalidParameter, "Condition"},
		{params{"Policy": policy(`[` + statement + `,{"Effect":"Deny","Principal":{"RAM":["a"]},"Action":"*","Resource":"*"}]`)}, CodeInvalidParameter, "Deny is not served"},
		{params{"Policy": policy(`[`+statement+`]`) + strings.Repeat("x", 32768)}, CodeInvalidParameter, "Policy"},
	} {
		if r := h.fails(t, tt.code, "CreateKey", tt.p); !strings.Contains(r.message(), tt.name) {
			t.Errorf("%v: message %q does not name %s", tt.p, r.message(), tt.name)
		}
	}
	if n := h.ok(t, "ListKeys", nil).number("TotalCount"); n != 0 {
		t.Errorf("%d keys were made by refused calls", n)
	}
	h.ok(t, "CreateKey", params{"Tags": tags(twentyOne[:20]...), "Policy": policy("[" + statement + "]")})
	h.ok(t, "CreateKey", params{"Tags": tags(tag("团队/a\\b_-.+=:@1", ""))})
	h.ok(t, "CreateKey", params{"EnableAutomaticRotation": "false", "RotationInterval": "ignored"})
}

func TestLimits(t *testing.T) {
	h := newHarness(t, Limits{Keys: 2, Aliases: 1})
	key := h.newKey(t)
	h.newKey(t)
	if r := h.fails(t, CodeRejectedLimitExceeded, "CreateKey", nil); !strings.Contains(r.message(), "2 keys") || r.status != 400 {
		t.Error(r.raw)
	}
	h.ok(t, "CreateAlias", params{"AliasName": "alias/a", "KeyId": key})
	if r := h.fails(t, CodeRejectedLimitExceeded, "CreateAlias", params{"AliasName": "alias/b", "KeyId": key}); !strings.Contains(r.message(), "1 aliases") {
		t.Error(r.raw)
	}
	h.ok(t, "DeleteAlias", params{"AliasName": "alias/a"})
	h.ok(t, "CreateAlias", params{"AliasName": "alias/b", "KeyId": key})
}

func TestLifeOfAKey(t *testing.T) {
	h := newHarness(t, Limits{})
	key := h.newKey(t)
	blob := h.encrypt(t, key, "hello")
	state := func() string { return h.ok(t, "DescribeKey", params{"KeyId": key}).text("KeyMetadata.KeyState") }
	h.clock.advance(time.Hour)
	h.ok(t, "DisableKey", params{"KeyId": key})
	r := h.fails(t, CodeRejectedDisabled, "Decrypt", params{"CiphertextBlob": blob})
	if want := "Key " + key + " is Disabled since 2026-11-24T09:00:00Z by acs:ram::1234567890123456:root."; r.message() != want {
		t.Errorf("message %q", r.message())
	}
	if !strings.HasSuffix(r.text("Recommend"), "meridian key enable "+key) {
		t.Errorf("recommends %q", r.text("Recommend"))
	}
	h.clock.advance(time.Hour)
	h.ok(t, "DisableKey", params{"KeyId": key}) // stays as it is
	if r := h.fails(t, CodeRejectedDisabled, "Encrypt", params{"KeyId": key, "Plaintext": "AA=="}); !strings.Contains(r.message(), "T09:00:00Z") {
		t.Errorf("message %q", r.message())
	}
	h.ok(t, "ScheduleKeyDeletion", params{"KeyId": key, "PendingWindowInDays": "7"})
	r = h.fails(t, CodeRejectedPendingDeletion, "Decrypt", params{"CiphertextBlob": blob})
	if want := "Key " + key + " is waiting since 2026-11-24T10:00:00Z by acs:ram::1234567890123456:root to be deleted at 2026-12-01T10:00:00Z."; r.message() != want {
		t.Errorf("message %q", r.message())
	}
	if got := h.ok(t, "DescribeKey", params{"KeyId": key}).text("KeyMetadata.DeleteDate"); got != "2026-12-01T10:00:00Z" {
		t.Errorf("deleted at %q", got)
	}
	r = h.fails(t, CodeRejectedStateModifiedFailed, "EnableKey", params{"KeyId": key})
	if want := "Key " + key + " is PendingDeletion since 2026-11-24T10:00:00Z by acs:ram::1234567890123456:root; EnableKey is not possible then."; r.message() != want {
		t.Errorf("message %q", r.message())
	}
	h.ok(t, "CancelKeyDeletion", params{"KeyId": key})
	if state() != "Enabled" {
		t.Errorf("afterwards %s", state())
	}
	if r := h.ok(t, "Decrypt", params{"CiphertextBlob": blob}); r.text("Plaintext") != b64("hello") {
		t.Error(r.raw)
	}
	h.ok(t, "UpdateKeyDescription", params{"KeyId": key, "Description": "one"})
	h.ok(t, "UpdateKeyDescription", params{"KeyId": key, "Description": ""})
	if got := h.ok(t, "DescribeKey", params{"KeyId": key}).text("KeyMetadata.Description"); got != "" {
		t.Errorf("description %q", got)
	}
}

func TestDestroyedKeyIsGone(t *testing.T) {
	h := newHarness(t, Limits{})
	key := h.newKey(t)
	blob := h.encrypt(t, key, "hello")
	h.ok(t, "CreateAlias", params{"AliasName": "alias/doomed", "KeyId": key})
	h.ok(t, "ScheduleKeyDeletion", params{"KeyId": key, "PendingWindowInDays": "7"})
	h.clock.advance(7*24*time.Hour + time.Second)
	h.destroy(t, key)
	h.fails(t, CodeForbiddenKeyNotFound, "DescribeKey", params{"KeyId": key})
	h.fails(t, CodeForbiddenAliasNotFound, "DescribeKey", params{"KeyId": "alias/doomed"})
	h.fails(t, CodeForbiddenKeyNotFound, "Decrypt", params{"CiphertextBlob": blob})
	h.fails(t, CodeForbiddenKeyNotFound, "CancelKeyDeletion", params{"KeyId": key})
	if n := h.ok(t, "ListKeys", nil).number("TotalCount"); n != 0 {
		t.Errorf("%d keys are listed", n)
	}
}
