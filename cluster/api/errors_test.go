package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// otherProducts are the codes of RAM and STS, which are not served yet.
var otherProducts = []string{
	"NoPermission", "EntityNotExist.", "EntityAlreadyExists.", "DeleteConflict.", "LimitExceeded.", "InvalidParameter.UserName.", "InvalidParameter.NewUserName.",
	"InvalidParameter.PolicyName.", "InvalidParameter.PolicyType", "InvalidParameter.PolicyDocument.", "InvalidParameter.Description.", "MalformedPolicyDocument",
}

// TestErrorTable compares the table with the published one: codes, status and messages.
func TestErrorTable(t *testing.T) {
	text, err := os.ReadFile("testdata/errors.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Errors []struct {
			Code    string
			HTTP    int
			Message string
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	known := 0
	for _, want := range file.Errors {
		kind, ok := errorKinds[want.Code]
		if !ok {
			other := false
			for _, prefix := range otherProducts {
				other = other || strings.HasPrefix(want.Code, prefix)
			}
			if !other {
				t.Errorf("%s is missing", want.Code)
			}
			continue
		}
		known++
		if kind.status != want.HTTP || kind.message != want.Message {
			t.Errorf("%s: %d %q, want %d %q", want.Code, kind.status, kind.message, want.HTTP, want.Message)
		}
	}
	if known != len(errorKinds) {
		t.Errorf("%d codes of the table are in the published one, %d are not", known, len(errorKinds)-known)
	}
}

func TestErrorConstructors(t *testing.T) {
	for _, tc := range []struct {
		err    *Error
		code   string
		status int
		text   string
		after  time.Duration
	}{
		{errMissing("KeyId"), CodeMissingParameter, 400, "Parameter KeyId is needed and was not given.", 0},
		{errInvalid("PageSize", "it is above 100"), CodeInvalidParameter, 400, "The value of PageSize is not allowed: it is above 100.", 0},
		{errTooLarge("the body is over 64 KiB"), CodeParseRequestParameterException, 413, "The request cannot be read: the body is over 64 KiB.", 0},
		{errThrottled("nonces", 1500*time.Millisecond), CodeRejectedThrottling, 429, "Too many requests: nonces. Try again after 2 s.", 1500 * time.Millisecond},
		{errUnavailable("no leader", 3*time.Second), CodeServiceUnavailableTemporary, 503, "This node cannot answer now: no leader.", 3 * time.Second},
		{newError(CodeForbiddenKeyNotFound, "{id}", "r"), CodeForbiddenKeyNotFound, 404, "There is no key {id} in region r.", 0},
		{newError(CodeForbiddenKeyNotFound), CodeForbiddenKeyNotFound, 404, "There is no key id in region region.", 0},
		{newError("NoSuchCode", "r1"), CodeInternalFailure, 500, "An error inside the service; look for r1 in its log.", 0},
	} {
		if tc.err.Code != tc.code || tc.err.Status != tc.status || tc.err.Message != tc.text || tc.err.RetryAfter != tc.after {
			t.Errorf("%+v, want %+v", tc.err, tc)
		}
	}
	wrapped := fmt.Errorf("outer: %w", errMissing("KeyId"))
	if !errors.Is(wrapped, &Error{Code: CodeMissingParameter}) || errors.Is(wrapped, &Error{Code: CodeInvalidParameter}) {
		t.Error("errors.Is goes by the code")
	}
}
