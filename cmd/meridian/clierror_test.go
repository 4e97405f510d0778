package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"meridian/cluster/api/client"
)

// What a refusal says, and the exit code that goes with it.
func TestRefusals(t *testing.T) {
	now := time.Date(2026, 11, 24, 8, 16, 0, 0, time.UTC)
	const id = "7c1e0000-0000-4000-8000-000000000001"
	for _, tc := range []struct {
		name    string
		refusal client.Error
		exit    int
		text    string
	}{
		{"clock ahead", client.Error{Code: "InvalidTimeStamp.Expired", Status: 400, RequestID: "r",
			Message: "Timestamp is more than 15 minutes from the clock of this node (2026-11-24T08:00:00Z)."},
			exitDenied, "Your clock is 16 min ahead of hz-1 (limit 15). Nothing is wrong with the key pair (request r)"},
		{"clock behind", client.Error{Code: "InvalidTimeStamp.Expired", Status: 400,
			Message: "x-acs-date is more than 15 minutes from the clock of this node (2026-11-24T09:00:00Z)."},
			exitDenied, "Your clock is 44 min behind hz-1 (limit 15). Nothing is wrong with the key pair"},
		{"unknown access key", client.Error{Code: "InvalidAccessKeyId.NotFound", Status: 404, Endpoint: "https://h:1"},
			exitDenied, "hz-1 does not know the access key (from the environment). Check the key and the endpoint https://h:1"},
		{"no permission", client.Error{Code: "Forbidden.NoPermission", Status: 403, Message: "acs:ram::1:user/a may not do kms:Decrypt on x."},
			exitDenied, "Denied: acs:ram::1:user/a may not do kms:Decrypt on x"},
		{"no key", client.Error{Code: "Forbidden.KeyNotFound", Status: 404, Message: "There is no key k in region r."},
			exitNotFound, "There is no key k in region r. Those there are: meridian key list"},
		{"disabled", client.Error{Code: "Rejected.Disabled", Status: 409, Message: "Key " + id + " is Disabled since x by y.", RequestID: "r"},
			exitFailed, "Key " + id + " is Disabled since x by y. meridian key enable " + id + " (request r)"},
		{"pending deletion", client.Error{Code: "Rejected.PendingDeletion", Status: 409, Message: "Key " + id + " is waiting to be deleted."},
			exitFailed, "Key " + id + " is waiting to be deleted. meridian key undelete " + id},
		{"pending import", client.Error{Code: "Rejected.PendingImport", Status: 409, Message: "Key " + id + " has no key material; import it.", Recommend: "x"},
			exitFailed, "Key " + id + " has no key material; import it: meridian key import " + id},
		{"protected", client.Error{Code: "Rejected.DeletionProtection", Status: 409, Message: "Deletion protection of key " + id + " is on.", Recommend: "x"},
			exitFailed, "Deletion protection of key " + id + " is on. meridian key protect " + id + " --off"},
		{"no version", client.Error{Code: "Forbidden.KeyVersionNotFound", Status: 404, Message: "Key " + id + " has no version v."},
			exitNotFound, "Key " + id + " has no version v. Those there are: meridian key versions " + id},
		{"no export", client.Error{Code: "Forbidden.ExportNotAllowed", Status: 403, Message: "Export to this public key is not allowed: it belongs to no pinned peer region."},
			exitDenied, "Export to this public key is not allowed: it belongs to no pinned peer region. The region allows it by peers and export.allow of its configuration"},
		{"own material", client.Error{Code: "Unsupported.Origin", Status: 400, Message: "Key " + id + " has origin Aliyun_KMS; GetParametersForImport is not possible then."},
			exitFailed, "Key " + id + " has origin Aliyun_KMS; GetParametersForImport is not possible then. Material is imported into keys made by meridian key create --origin external"},
		{"imported material", client.Error{Code: "Unsupported.Origin", Status: 400, Message: "Key " + id + " has origin EXTERNAL; CreateKeyVersion is not possible then."},
			exitFailed, "Key " + id + " has origin EXTERNAL; CreateKeyVersion is not possible then. Its material is what was imported: make another key, and move the alias to it by meridian alias retarget"},
		{"no token", client.Error{Code: "InvalidImportToken", Status: 400, Message: "The import token is unknown, used, or of another key."},
			exitFailed, "The import token is unknown, used, or of another key. A token is good for one import within 24 hours; another one: meridian key import KEY --parameters-only DIR"},
		{"old token", client.Error{Code: "ExpiredImportToken", Status: 400, Message: "The import token expired at t."},
			exitFailed, "The import token expired at t. A token is good for one import within 24 hours; another one: meridian key import KEY --parameters-only DIR"},
		{"other material", client.Error{Code: "InvalidKeyMaterial", Status: 400, Message: "The key material is not usable: it is not the material that the key had before.", RequestID: "r"},
			exitVerification, "The key material is not usable: it is not the material that the key had before (request r)"},
		{"policy", client.Error{Code: "MalformedPolicyDocument", Status: 400, Message: "The value of Policy is not allowed: it has no Statement."},
			exitUsage, "The value of Policy is not allowed: it has no Statement"},
		{"state", client.Error{Code: "Rejected.StateModifiedFailed", Status: 409, Message: "Key " + id + " is Enabled; CancelKeyDeletion is not possible then."},
			exitFailed, "Key " + id + " is Enabled; CancelKeyDeletion is not possible then"},
		{"too soon", client.Error{Code: "Rejected.UnsupportedOperation", Status: 400, Message: "CreateKeyVersion is not possible with this key: the newest version of key " + id + " is younger than 168h0m0s."},
			exitFailed, "CreateKeyVersion is not possible with this key: the newest version of key " + id + " is younger than 168h0m0s; limits.version_interval of the region says how young"},
		{"other spec", client.Error{Code: "UnsupportedOperation", Status: 400, Message: "Encrypt is not possible here: key " + id + " is of spec EC_P256."},
			exitFailed, "Encrypt is not possible here: key " + id + " is of spec EC_P256"},
		{"asymmetric ciphertext", client.Error{Code: "InvalidParameter", Status: 400, Message: "CiphertextBlob does not decrypt: it is damaged, or was made with another key, version or algorithm."},
			exitVerification, "CiphertextBlob does not decrypt: it is damaged, or was made with another key, version or algorithm"},
		{"blob", client.Error{Code: "InvalidParameter", Status: 400, RequestID: "r",
			Message: "CiphertextBlob does not open: it is damaged, its encryption context is another, or it is not one of ours."},
			exitVerification, "CiphertextBlob does not open: it is damaged, its encryption context is another, or it is not one of ours (request r)"},
		{"other region", client.Error{Code: "InvalidParameter.WrongRegion", Status: 400,
			Message: "This blob was sealed in b by key k version v. This region, a, can't open it. Ask that region, or move the ciphertext: meridian reencrypt KEY --to-region a"},
			exitFailed, "This blob was sealed in b by key k version v. This region, a, can't open it. Ask that region, or move the ciphertext: meridian reencrypt KEY --to-region a; or all that are stored: meridian migrate plan INPUT --from b --to a"},
		{"another's name for a key", client.Error{Code: "InvalidParameter.WrongRegion", Status: 400, Message: "KeyId belongs to region b; this is a."},
			exitFailed, "KeyId belongs to region b; this is a"},
		{"parameter", client.Error{Code: "InvalidParameter", Status: 400, Message: "The value of PendingWindowInDays is not allowed: it is not a number.", Recommend: "Take a number."},
			exitUsage, "The value of PendingWindowInDays is not allowed: it is not a number. Take a number [InvalidParameter]"},
		{"unavailable", client.Error{Code: "ServiceUnavailableTemporary", Status: 503, Message: "This node cannot answer now: it is sealed."},
			exitUnavailable, "This node cannot answer now: it is sealed. Try another node, or again in a moment: meridian status"},
		{"throttled", client.Error{Code: "Rejected.Throttling", Status: 429, Message: "Too many requests: x.", Recommend: "Wait."},
			exitUnavailable, "Too many requests: x. Wait [Rejected.Throttling]"},
		{"unknown action", client.Error{Code: "InvalidAction.NotFound", Status: 404, Message: "There is no action X.", Endpoint: "https://h:1"},
			exitFailed, "There is no action X. The endpoint https://h:1 may be another version"},
		{"no API", client.Error{Code: "HTTP", Status: 502, Message: "https://h:1 answered with status 502 and no error of the API"},
			exitUnavailable, "https://h:1 answered with status 502 and no error of the API. Check --endpoint, or the file of regions: the API is on listen.api, port 9410 unless configured"},
		{"another listener", client.Error{Code: "HTTP", Status: 404, Endpoint: "http://h:2", Message: "http://h:2 answered with status 404 and no error of the API: " + opsElsewhere},
			exitFailed, "http://h:2 answered with status 404 and no error of the API: " + strings.TrimSuffix(opsElsewhere, ".") + ". That is port 9410 unless configured; this one is for meridian status --ops http://h:2"},
		{"several lines", client.Error{Code: "InternalFailure", Status: 500, Message: "An error\n inside."},
			exitFailed, "An error inside [InternalFailure]"},
	} {
		err := callError(&tc.refusal, "hz-1", "the environment", now)
		if err.Error() != tc.text || exitOf(err) != tc.exit {
			t.Errorf("%s: exit code %d and\n  %s\nwant %d and\n  %s", tc.name, exitOf(err), err, tc.exit, tc.text)
		}
	}
}

func TestSignatureMismatch(t *testing.T) {
	const prefix = "The signature does not fit the request. Check the secret, then compare: server string to sign is:"
	for _, tc := range []struct{ name, own, theirs, text string }{
		{"same text", "POST&%2F&A%3D1", "POST&%2F&A%3D1",
			"Signature refused: you and hz-1 signed the same text, so the secret is another one. Check the secret of the access key (from profile x)"},
		{"time zone",
			"POST&%2F&Action%3DA%26Timestamp%3D2026-11-24T20%253A00%253A00Z%26Version%3D1",
			"POST&%2F&Action%3DA%26Timestamp%3D2026-11-24T20%253A00%253A00%252B08%26Version%3D1",
			`Signature refused: your text differs from the node's at byte 62 (you: "…0%253A00Z%26Vers…", node: "…0%253A00%252B08%…"). Use UTC with Z`},
		{"changed on the way", "POST&%2F&A%3D1", "GET&%2F&A%3D1",
			`Signature refused: your text differs from the node's at byte 1 (you: "POST&%2F…", node: "GET&%2F&…"). A proxy may have changed the request: ask the node directly`},
		{"cut", "POST&%2F&A%3D1", "POST&%2F&A",
			`Signature refused: your text differs from the node's at byte 11 (you: "…ST&%2F&A%3D1", node: "…ST&%2F&A"). A proxy may have changed the request: ask the node directly`},
		{"V3", "ACS3-HMAC-SHA256\nabc", "ACS3-HMAC-SHA256\nabd",
			`Signature refused: your text differs from the node's at byte 20 (you: "…HA256\nabc", node: "…HA256\nabd"). A proxy may have changed Host, a signed header or the body: ask the node directly`},
	} {
		e := &client.Error{Code: "SignatureDoesNotMatch", Status: 400, Message: prefix + tc.theirs, Signed: tc.own}
		if err := callError(e, "hz-1", "", time.Now()); strings.Contains(err.Error(), "(from") {
			t.Errorf("%s: from nowhere: %s", tc.name, err)
		}
		err := callError(e, "hz-1", "profile x", time.Now())
		if err.Error() != tc.text || exitOf(err) != exitDenied {
			t.Errorf("%s: exit code %d and\n  %s\nwant\n  %s", tc.name, exitOf(err), err, tc.text)
		}
	}
}

func TestErrorsWithoutAnAnswer(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	for _, tc := range []struct {
		name string
		err  error
		exit int
		text string
	}{
		{"refused", fmt.Errorf("https://h:1: %w", refused), exitUnavailable, "no node answers: https://h:1: dial tcp: connection refused. Check"},
		{"unknown outcome", fmt.Errorf("https://h:1: %w: reset", client.ErrOutcomeUnknown), exitUnavailable, "whether this was done is unknown"},
		{"authority", fmt.Errorf("x: %w", x509.UnknownAuthorityError{}), exitFailed, "--ca FILE or MERIDIAN_CA_FILE, or ca_file in a file of regions"},
		{"plain HTTP", errors.New("http: server gave HTTP response to HTTPS client"), exitFailed, "does not speak TLS"},
		{"interrupted", context.Canceled, exitInterrupted, "interrupted"},
		{"no port", fmt.Errorf("https://h: %w", refused), exitUnavailable, "it names no port: https://h:9410 is where a node listens unless configured"},
		{"timeout", context.DeadlineExceeded, exitUnavailable, "no node answers"},
		{"usage", usageError("x"), exitUsage, "x"},
	} {
		err := callError(tc.err, "", "", time.Now())
		if !strings.Contains(err.Error(), tc.text) || exitOf(err) != tc.exit {
			t.Errorf("%s: exit code %d and %q, want %d and %q", tc.name, exitOf(err), err, tc.exit, tc.text)
		}
	}
	if callError(nil, "", "", time.Now()) != nil {
		t.Error("no error became one")
	}
}

// The process says one line, and nothing where a child has said it all.
func TestReportError(t *testing.T) {
	for _, tc := range []struct {
		err  error
		code int
		text string
	}{
		{nil, 0, ""},
		{errors.New("x"), 1, "meridian: x\n"},
		{usageError("x %d", 1), 2, "meridian: x 1\n"},
		{fmt.Errorf("a: %w", &exitError{exitNotFound, errors.New("b")}), 3, "meridian: a: b\n"},
		{&exitError{7, nil}, 7, ""},
		{errors.Join(errors.New("a"), errors.New("b")), 1, "meridian: a; b\n"},
	} {
		var b strings.Builder
		if code := reportError(&b, tc.err); code != tc.code || b.String() != tc.text {
			t.Errorf("%v: exit code %d, %q; want %d, %q", tc.err, code, b.String(), tc.code, tc.text)
		}
	}
}
