package main

import (
	"strings"

	"meridian/cluster/api/client"
)

// keyText is what happened and what to do where a key, its state, material or
// alias is why a call was refused.
func keyText(e *client.Error) (string, bool) {
	text, id := plainMessage(e), namedKey(e)
	switch e.Code {
	case "Rejected.Disabled":
		text += ". meridian key enable " + id
	case "Rejected.PendingDeletion":
		text += ". meridian key undelete " + id
	case "Rejected.PendingImport":
		text += ": meridian key import " + id
	case "Rejected.DeletionProtection":
		text += ". meridian key protect " + id + " --off"
	case "AliasAlreadyExists":
		text += ". Point it at another key: meridian alias retarget"
	case "Forbidden.AliasNotFound":
		text += ". Those there are: meridian alias list"
	case "Forbidden.KeyNotFound":
		text += ". Those there are: meridian key list"
	case "Forbidden.KeyVersionNotFound":
		text += ". Those there are: meridian key versions " + id
	case "Forbidden.ExportNotAllowed":
		text += ". The region allows it by peers and export.allow of its configuration"
	case "Unsupported.Origin":
		text += originText(text)
	case "InvalidImportToken", "ExpiredImportToken":
		text += ". A token is good for one import within 24 hours; another one: meridian key import KEY --parameters-only DIR"
	case "Rejected.UnsupportedOperation", "UnsupportedOperation":
		if strings.Contains(text, "is younger than") {
			text += "; limits.version_interval of the region says how young"
		}
	case "InvalidKeyMaterial", "MalformedPolicyDocument", "Rejected.StateModifiedFailed":
	default:
		return "", false
	}
	return text, true
}

// movingText is what to do about all ciphertexts like one that another region
// sealed, behind what the region says about one; nothing about names of keys.
func movingText(e *client.Error) string {
	_, rest, sealed := strings.Cut(e.Message, " sealed in ")
	from, rest, by := strings.Cut(rest, " by key ")
	_, rest, this := strings.Cut(rest, "This region, ")
	to, _, cannot := strings.Cut(rest, ", can't open it")
	if !sealed || !by || !this || !cannot {
		return ""
	}
	return "; or all that are stored: meridian migrate plan INPUT --from " + from + " --to " + to
}

// originText is what to do about a key whose material comes from elsewhere than
// a call wants.
func originText(message string) string {
	if strings.Contains(message, "origin "+originExternal) {
		return ". Its material is what was imported: make another key, and move the alias to it by meridian alias retarget"
	}
	return ". Material is imported into keys made by meridian key create --origin external"
}

// namedKey is the id of the key that a message tells, else KEY.
func namedKey(e *client.Error) string {
	for _, word := range strings.Fields(e.Message) {
		if isUUID(word) {
			return word
		}
	}
	return "KEY"
}
