package api

import "meridian/crypto"

// params shared by several actions.
var (
	keyIDParam   = ParamSpec{Name: "KeyId", Type: TypeKeyID, Required: true, Note: "key id or key ARN"}
	anyKeyParam  = ParamSpec{Name: "KeyId", Type: TypeKeyID, Required: true, Alias: true, Note: "key id, key ARN, alias or alias ARN"}
	aliasParam   = ParamSpec{Name: "AliasName", Type: TypeAliasName, Required: true, Note: "alias/ and 1 to 255 of A-Z a-z 0-9 _ / -, not starting with alias/acs"}
	contextParam = contextSpec("EncryptionContext")
	dryRunParam  = ParamSpec{Name: paramDryRun, Default: "false", Enum: []string{"true", "false"}, Note: "everything but the work; always answered with an error"}
	// The most that any region may be set to take; the handler applies the setting.
	plaintextParam = ParamSpec{
		Name: "Plaintext", Type: TypeBase64, Required: true, Min: 1, Max: MaxPlaintext,
		Note: "1 to " + decimal(DefaultPlaintext) + " bytes, unless a setting of the region says otherwise; it is at most " + decimal(MaxPlaintext),
	}
	blobParam    = ParamSpec{Name: paramBlob, Type: TypeBlob, Required: true, Max: crypto.MaxBlobBytes, Note: "Base64"}
	dataKeySpec  = ParamSpec{Name: "KeySpec", Default: "AES_256", Enum: []string{"AES_256", "AES_128"}, Unless: "NumberOfBytes", Note: "ignored if NumberOfBytes is there"}
	dataKeyBytes = ParamSpec{Name: "NumberOfBytes", Type: TypeInteger, Min: 1, Max: maxDataKeyBytes, Note: "default: what KeySpec says"}
	noRecipient  = ParamSpec{Name: "Recipient", Type: TypeJSON, Refused: "Recipient is not served, and an answer in clear would break what it asks for"}
	description  = ParamSpec{Name: "Description", Max: 8192}
	versionParam = ParamSpec{Name: "KeyVersionId", Type: TypeVersionID, Required: true, Note: "UUID"}
	tagList      = ParamSpec{Name: "Tags", Type: TypeJSON, Note: `list of {"TagKey":...,"TagValue":...}, at most 20`}
	policyParam  = ParamSpec{Name: paramPolicy, Type: TypeJSON, Max: 32768, Note: "key policy"}
	automatic    = ParamSpec{Name: "EnableAutomaticRotation", Type: TypeBoolean, Default: "false", Note: "symmetric keys with Origin Aliyun_KMS only"}
	interval     = ParamSpec{
		Name: "RotationInterval", Type: TypeDuration, Required: true, OnlyIf: "EnableAutomaticRotation",
		Min: 7 * secondsPerDay, Max: 730 * secondsPerDay, Note: "needed with EnableAutomaticRotation, otherwise ignored",
	}
	pageNumber = ParamSpec{Name: "PageNumber", Type: TypeInteger, Default: "1", Min: 1}
	pageSize   = ParamSpec{Name: "PageSize", Type: TypeInteger, Default: "10", Min: 1, Max: 100}
)

func contextSpec(name string) ParamSpec {
	return ParamSpec{Name: name, Type: TypeContext, Max: 8192, Note: "JSON object of texts, or " + name + ".KEY=value parameters"}
}

// required is a parameter that must be there.
func required(p ParamSpec) ParamSpec {
	p.Required = true
	return p
}

// Members that several answers have.
var (
	keyAnswer = []Member{
		{"KeyId", "string", "id of the key, also where the request named an alias or ARN"},
		{"KeyVersionId", "string", "version of the key that was used"},
	}
	blobAnswer  = list(keyAnswer, []Member{{"CiphertextBlob", "base64", "names region, key and version inside"}})
	pageAnswers = []Member{
		{"PageNumber", "integer", "as asked"}, {"PageSize", "integer", "as asked"}, {"TotalCount", "integer", "of all pages"},
	}
)

// Rules of what a key may be used for in its states (key state page of the API, and ours).
var (
	cryptoStates = StateRule{
		Disabled: CodeRejectedDisabled, PendingDeletion: CodeRejectedPendingDeletion, PendingImport: CodeRejectedPendingImport,
	}
	switchStates = StateRule{PendingDeletion: CodeRejectedStateModifiedFailed, PendingImport: CodeRejectedStateModifiedFailed}
	unlessDying  = StateRule{PendingDeletion: CodeRejectedStateModifiedFailed}
	editStates   = StateRule{PendingDeletion: CodeRejectedPendingDeletion}
	onlyDying    = StateRule{
		Enabled: CodeRejectedStateModifiedFailed, Disabled: CodeRejectedStateModifiedFailed, PendingImport: CodeRejectedStateModifiedFailed,
	}
)

// Errors that groups of actions share.
var (
	aliasOrKeyErrors  = []string{CodeForbiddenKeyNotFound, CodeForbiddenAliasNotFound}
	cryptoStateErrors = []string{CodeRejectedDisabled, CodeRejectedPendingDeletion, CodeRejectedPendingImport}
	dryRunErrors      = []string{CodeDryRunOperationError, CodeValidationError, CodeAccessDeniedError}
)

func keyErrors(more ...string) []string {
	return append([]string{CodeForbiddenKeyNotFound, CodeUnsupportedAlias}, more...)
}

func list[T any](parts ...[]T) (all []T) {
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}

// onKey is a permission on one key; onKeys, onAlias and onAliases are on what they say.
func onKey(action string) Permission     { return Permission{"kms:" + action, ResourceKey} }
func onKeys(action string) Permission    { return Permission{"kms:" + action, ResourceKeys} }
func onAlias(action string) Permission   { return Permission{"kms:" + action, ResourceAlias} }
func onAliases(action string) Permission { return Permission{"kms:" + action, ResourceAliases} }
func onAll(action string) Permission     { return Permission{"kms:" + action, ResourceAll} }

// kmsActions is the action table of the KMS API.
var kmsActions = list(
	keyActions, aliasActions, versionActions, cryptoActions, exportActions, asymmetricActions, importActions, tagActions, policyActions, accountActions,
)
