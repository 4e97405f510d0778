package api

import (
	"encoding/json"
	"unicode/utf8"
)

// paramPolicy names the parameter in messages.
const paramPolicy = "Policy"

// maxSidChars bounds the name of a statement.
const maxSidChars = 128

// parseKeyPolicy checks the form of a key policy: Version "1" and a list of statements, each with Sid, Effect, Principal
// {"RAM":[...]}, Action and Resource. Policies are kept and not judged yet. Statements that take rights away, by Deny or by
// a Condition, are refused until they are: kept but not honoured, they would give more than they say. The text is returned
// as it came.
func parseKeyPolicy(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	var policy struct {
		Version   any
		Statement []map[string]json.RawMessage
	}
	if err := json.Unmarshal([]byte(text), &policy); err != nil {
		return "", errInvalid(paramPolicy, "it is not the JSON text of a policy")
	}
	if policy.Version != "1" {
		return "", errInvalid(paramPolicy, `its Version must be "1"`)
	}
	if len(policy.Statement) == 0 {
		return "", errInvalid(paramPolicy, "it has no Statement")
	}
	for i, statement := range policy.Statement {
		if fault := statementFault(statement); fault != "" {
			return "", errInvalid(paramPolicy, "statement "+decimal(int64(i+1))+": "+fault)
		}
	}
	return text, nil
}

// statementFault says what is wrong with a statement of a key policy, empty if nothing is.
func statementFault(statement map[string]json.RawMessage) string {
	for member, raw := range statement {
		switch member {
		case "Sid":
			var sid string
			if json.Unmarshal(raw, &sid) != nil || utf8.RuneCountInString(sid) > maxSidChars {
				return "Sid must be a text of at most " + decimal(maxSidChars) + " characters"
			}
		case "Effect", "Principal", "Action", "Resource":
		case "Condition":
			return "Condition is not served yet"
		default:
			return "only Sid, Effect, Principal, Action and Resource belong in it"
		}
	}
	var effect string
	if json.Unmarshal(statement["Effect"], &effect) != nil || effect != "Allow" {
		return "Effect must be Allow; Deny is not served yet"
	}
	var principal map[string]json.RawMessage
	if json.Unmarshal(statement["Principal"], &principal) != nil || len(principal) != 1 || !isTexts(principal["RAM"]) {
		return `Principal must be {"RAM":[...]}`
	}
	for _, member := range []string{"Action", "Resource"} {
		if !isTexts(statement[member]) {
			return member + " must be a text or a list of texts"
		}
	}
	return ""
}

// isTexts reports whether raw is a text or a list of one or more texts.
func isTexts(raw json.RawMessage) bool {
	var one string
	var many []*string
	if json.Unmarshal(raw, &one) == nil && one != "" {
		return true
	}
	if json.Unmarshal(raw, &many) != nil || len(many) == 0 {
		return false
	}
	for _, text := range many {
		if text == nil || *text == "" {
			return false
		}
	}
	return true
}
