package api

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"meridian/cluster"
	"meridian/crypto"
	"meridian/store/storepb"
)

// destroy ends the life of a key whose deletion is due, as the leader does.
func (h *harness) destroy(tb testing.TB, key string) {
	tb.Helper()
	id, _ := crypto.ParseKeyID(key)
	h.mustPropose(tb, &storepb.Command{Version: commandVersion, Body: &storepb.Command_DestroyKeys{DestroyKeys: &storepb.DestroyKeys{KeyIds: [][]byte{id[:]}}}})
}

// A write that was captured is good nowhere in the region, on no node.
func TestWriteIsGoodOnce(t *testing.T) {
	h := newHarness(t, Limits{})
	other, _ := h.newServer(t, Limits{})
	for _, w := range wires {
		request := h.request(w, "CreateKey", nil)
		again := cloneRequest(t, request)
		first := h.send(t, h.server, w, request)
		if first.code != "" {
			t.Fatalf("%v: %s", w, first.raw)
		}
		second := h.send(t, other, w, again)
		if second.code != CodeSignatureNonceUsed || second.status != 400 {
			t.Errorf("%v: another node answers %s", w, second.raw)
		}
	}
	if n := h.ok(t, "ListKeys", nil).number("TotalCount"); n != len(wires) {
		t.Errorf("%d keys after %d writes", n, len(wires))
	}
}

// A write that was captured is good nowhere either when the leader's clock is ahead of the nodes', or once was.
func TestWriteIsGoodOnceWhenTheLeaderIsAhead(t *testing.T) {
	for _, ahead := range []time.Duration{time.Second, NonceWindow, time.Hour} {
		h := newHarness(t, Limits{})
		other, _ := h.newServer(t, Limits{})
		key := h.newKey(t)
		h.testRegion.stamp = h.clock.now().Add(ahead)
		request := h.request(wires[0], "EnableKey", params{"KeyId": key})
		again := cloneRequest(t, request)
		if r := h.send(t, h.server, wires[0], request); r.code != "" {
			t.Fatalf("%v ahead: %s", ahead, r.raw)
		}
		h.clock.advance(NonceWindow) // the last moment at which a node takes it
		h.testRegion.stamp = h.clock.now().Add(ahead)
		h.ok(t, "DisableKey", params{"KeyId": key})
		if r := h.send(t, other, wires[0], again); r.code != CodeSignatureNonceUsed {
			t.Errorf("%v ahead: another node answers %s", ahead, r.raw)
		}
		if state := h.ok(t, "DescribeKey", params{"KeyId": key}).text("KeyMetadata.KeyState"); state != "Disabled" {
			t.Errorf("%v ahead: the key is %s", ahead, state)
		}
	}
}

// What a write came to is told as it is: not started, refused, or unknown, which is never told as failed.
func TestWriteOutcomes(t *testing.T) {
	h := newHarness(t, Limits{})
	key := h.newKey(t)
	for _, tt := range []struct {
		err    error
		code   string
		status int
		says   string
	}{
		{cluster.ErrUnavailable, CodeServiceUnavailableTemporary, 503, "leader"},
		{cluster.ErrOutcomeUnknown, CodeInternalFailure, 500, "unknown"},
		{context.DeadlineExceeded, CodeInternalFailure, 500, "unknown"},
		{context.Canceled, CodeInternalFailure, 500, "unknown"},
		{cluster.ErrThrottled, CodeRejectedThrottling, 429, "writes"},
		{cluster.ErrDiskFull, CodeServiceUnavailableTemporary, 503, "disk"},
		{&cluster.DiskFullError{Leader: "n7"}, CodeServiceUnavailableTemporary, 503, "node n7, which leads"},
		{&cluster.DiskFullError{Leader: "n7", Node: "n7"}, CodeServiceUnavailableTemporary, 503, "node n7, which leads"},
		{&cluster.DiskFullError{Leader: "n7", Node: "n8"}, CodeServiceUnavailableTemporary, 503, "node n8 among them"},
		{cluster.ErrSealed, CodeServiceUnavailableTemporary, 503, "sealed"},
		{cluster.ErrStopped, CodeServiceUnavailableTemporary, 503, "shutting down"},
		{cluster.ErrRefused, CodeInternalFailure, 500, "inside the service"},
		{errors.New("secret detail"), CodeInternalFailure, 500, "inside the service"},
	} {
		h.proposeErr = tt.err
		r := h.fails(t, tt.code, "DisableKey", params{"KeyId": key})
		if r.status != tt.status || !strings.Contains(r.message(), tt.says) || strings.Contains(r.raw, "secret detail") {
			t.Errorf("%v: %d %s", tt.err, r.status, r.raw)
		}
		if retry := r.header.Get("Retry-After"); (retry != "") != (tt.status == 503 || tt.status == 429) {
			t.Errorf("%v: Retry-After %q", tt.err, retry)
		}
	}
}

// Without permission a caller learns nothing of what exists.
func TestPermissionComesBeforeExistence(t *testing.T) {
	h := newHarness(t, Limits{})
	key, gone := h.keyIn(t, "Disabled"), "11111111-2222-4333-8444-555555555555"
	h.ok(t, "CreateAlias", params{"AliasName": "alias/there", "KeyId": key})
	blob := scenes["Decrypt"](t, h)["CiphertextBlob"]
	h.identity.Root = false
	arn := "acs:kms:cn-hangzhou:1234567890123456:"
	for _, tt := range []struct {
		action   string
		p        params
		resource string
	}{
		{"DescribeKey", params{"KeyId": key}, "key/" + key},
		{"DescribeKey", params{"KeyId": gone}, "key/" + gone},
		{"DescribeKey", params{"KeyId": "alias/there"}, "alias/there"},
		{"DescribeKey", params{"KeyId": "alias/none"}, "alias/none"},
		{"DescribeKey", params{"KeyId": "nonsense"}, "key/nonsense"},
		{"Encrypt", params{"KeyId": key, "Plaintext": "AA=="}, "key/" + key},
		{"Encrypt", params{"KeyId": gone, "Plaintext": "AA=="}, "key/" + gone},
		{"GenerateDataKey", params{"KeyId": gone}, "key/" + gone},
		{"EnableKey", params{"KeyId": key}, "key/" + key},
		{"EnableKey", params{"KeyId": gone}, "key/" + gone},
		{"CreateAlias", params{"AliasName": "alias/there", "KeyId": gone}, "key/" + gone},
		{"DeleteAlias", params{"AliasName": "alias/there"}, "alias/there"},
		{"DeleteAlias", params{"AliasName": "alias/none"}, "alias/none"},
		{"ListKeys", nil, "key"}, {"ListAliases", nil, "alias"}, {"CreateKey", nil, "key"},
		{"ListAliasesByKeyId", params{"KeyId": gone}, "key/" + gone},
	} {
		r := h.fails(t, CodeForbiddenNoPermission, tt.action, tt.p)
		want := "acs:ram::1234567890123456:root may not do kms:" + tt.action + " on " + arn + tt.resource + "."
		if r.status != 403 || r.message() != want {
			t.Errorf("%s %v: %d %q, want %q", tt.action, tt.p, r.status, r.message(), want)
		}
	}
	if r := h.fails(t, CodeForbiddenNoPermission, "Decrypt", params{"CiphertextBlob": blob}); !strings.Contains(r.message(), "kms:Decrypt") {
		t.Error(r.raw)
	}
	if r := h.fails(t, CodeForbiddenNoPermission, "ReEncrypt", params{"CiphertextBlob": blob, "DestinationKeyId": key}); !strings.Contains(r.message(), "kms:ReEncryptFrom") {
		t.Error(r.raw)
	}
}
