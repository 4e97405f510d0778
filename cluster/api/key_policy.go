package api

import (
	"encoding/json"
	"strings"
)

// paramPolicy names the parameter in messages.
const paramPolicy = "Policy"

// maxSidChars bounds the name of a statement.
const maxSidChars = 128

// parseKeyPolicy checks the form of a key policy: Version "1" and a list of statements, each with Sid, Effect, Principal
// {"RAM":[...]}, Action and Resource. Policies are kept and not judged yet. Statements that take rights away, by Deny or by
// a Condition, are refused until they are: kept but not honoured, they would give more than they say. So is a text of which
// another reader could make another policy: encoding/json takes the last of two members and names in any case. The text is
// returned as it came.
func parseKeyPolicy(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	if fault := policyFault(text); fault != "" {
		return "", errInvalid(paramPolicy, fault)
	}
	return text, nil
}

// policyFault says what is wrong with a key policy, empty if nothing is.
func policyFault(text string) string {
	var policy map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &policy) != nil {
		return "it is not the JSON text of a policy"
	}
	if !membersDiffer(json.NewDecoder(strings.NewReader(text))) {
		return "a member is given twice"
	}
	for member := range policy {
		if member != "Version" && member != "Statement" {
			return "only Version and Statement belong in it"
		}
	}
	var version string
	if json.Unmarshal(policy["Version"], &version) != nil || version != "1" {
		return `its Version must be "1"`
	}
	var statements []map[string]json.RawMessage
	if raw, given := policy["Statement"]; given && json.Unmarshal(raw, &statements) != nil {
		return "its Statement must be a list of statements"
	}
	if len(statements) == 0 {
		return "it has no Statement"
	}
	for i, statement := range statements {
		if fault := statementFault(statement); fault != "" {
			return "statement " + decimal(int64(i+1)) + ": " + fault
		}
	}
	return ""
}

// membersDiffer reports whether no object in the next value of d, on any level, has two members of one name.
func membersDiffer(d *json.Decoder) bool {
	token, err := d.Token()
	if err != nil {
		return false
	}
	open, nested := token.(json.Delim)
	if !nested {
		return true
	}
	seen := make(map[json.Token]bool)
	for d.More() {
		if open == '{' {
			name, err := d.Token()
			if err != nil || seen[name] {
				return false
			}
			seen[name] = true
		}
		if !membersDiffer(d) {
			return false
		}
	}
	_, err = d.Token() // the end of it
	return err == nil
}

// statementFault says what is wrong with a statement of a key policy, empty if nothing is.
func statementFault(statement map[string]json.RawMessage) string {
	for member, raw := range statement {
		switch member {
		case "Sid":
			var sid string
			if json.Unmarshal(raw, &sid) != nil {
				return "Sid must be a text"
			}
			if fault := textFault(sid, maxSidChars); fault != "" {
				return "Sid: " + fault
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
