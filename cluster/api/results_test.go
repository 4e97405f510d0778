package api

import (
	"context"
	"strings"
	"testing"

	"meridian/crypto"
	"meridian/store/storepb"
)

// fixedResult is a region whose every write comes to one result.
type fixedResult struct {
	*testRegion
	result *storepb.Result
}

func (r fixedResult) Propose(context.Context, *storepb.Command) (*storepb.Result, error) {
	return r.result, nil
}

// Every code that applying a command can come to has its answer; those that only a fault of ours brings about are told
// as one, without their cause.
func TestResultsOfCommands(t *testing.T) {
	h := newHarness(t, Limits{})
	key := h.newKey(t)
	id, _ := crypto.ParseKeyID(key)
	for value, name := range storepb.Code_name {
		result := &storepb.Result{Code: storepb.Code(value), What: "things", Limit: 7, State: storepb.KeyState_PENDING_DELETION}
		h.server.cfg.Region = fixedResult{h.testRegion, result}
		action := "UpdateAlias"
		switch result.Code {
		case storepb.Code_ALIAS_EXISTS, storepb.Code_LIMIT:
			action = "CreateAlias"
		case storepb.Code_DELETION_PROTECTION:
			action = "ScheduleKeyDeletion"
		}
		r := h.call(t, action, params{"AliasName": "alias/a", "KeyId": key, "PendingWindowInDays": "7"})
		h.server.cfg.Region = h.testRegion
		want := map[storepb.Code]string{
			storepb.Code_OK:                  "",
			storepb.Code_KEY_NOT_FOUND:       CodeForbiddenKeyNotFound,
			storepb.Code_ALIAS_NOT_FOUND:     CodeForbiddenAliasNotFound,
			storepb.Code_ALIAS_EXISTS:        CodeAliasAlreadyExists,
			storepb.Code_KEY_STATE:           CodeRejectedPendingDeletion,
			storepb.Code_LIMIT:               CodeRejectedLimitExceeded,
			storepb.Code_NONCE_USED:          CodeSignatureNonceUsed,
			storepb.Code_DELETION_PROTECTION: CodeRejectedDeletionProtection,
			storepb.Code_REGION_MISSING:      CodeServiceUnavailableTemporary,
		}
		code, known := want[result.Code]
		if !known {
			code = CodeInternalFailure
		}
		if r.code != code {
			t.Errorf("%s: answered %s, want code %q", name, r.raw, code)
		}
		switch result.Code {
		case storepb.Code_KEY_NOT_FOUND, storepb.Code_KEY_STATE, storepb.Code_DELETION_PROTECTION:
			if !strings.Contains(r.message(), id.String()) {
				t.Errorf("%s: message %q does not name the key", name, r.message())
			}
		case storepb.Code_ALIAS_NOT_FOUND, storepb.Code_ALIAS_EXISTS:
			if !strings.Contains(r.message(), "alias/a") {
				t.Errorf("%s: message %q does not name the alias", name, r.message())
			}
		case storepb.Code_LIMIT:
			if !strings.Contains(r.message(), "7 things") {
				t.Errorf("message %q", r.message())
			}
		}
	}
}
