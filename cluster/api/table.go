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
	pageNumber   = ParamSpec{Name: "PageNumber", Type: TypeInteger, Default: "1", Min: 1}
	pageSize     = ParamSpec{Name: "PageSize", Type: TypeInteger, Default: "10", Min: 1, Max: 100}
)

func contextSpec(name string) ParamSpec {
	return ParamSpec{Name: name, Type: TypeContext, Max: 8192, Note: "JSON object of texts, or " + name + ".KEY=value parameters"}
}

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

// kmsActions is the action table of the KMS API.
var kmsActions = list(keyActions, aliasActions, cryptoActions, accountActions)

var keyActions = []Action{
	{
		Name: "CreateKey", Kind: KindWrite, Handle: handleCreateKey, RAM: RAM{onKeys("CreateKey")},
		Summary: "Makes a key and, unless its material is to be imported, its first version.",
		Params: []ParamSpec{
			description,
			{Name: "KeySpec", Default: specAES256, Enum: keySpecs, Note: "so far only " + specAES256 + " is served"},
			{Name: "KeyUsage", Default: usageEncrypt, Enum: []string{usageEncrypt, usageSign}},
			{Name: "Origin", Default: originOwn, Enum: []string{originOwn, originExternal}, Note: "a key of origin EXTERNAL starts as PendingImport"},
			{Name: "ProtectionLevel", Default: levelSoftware, Enum: []string{levelSoftware, levelHSM}, Note: "HSM is refused"},
			{Name: "EnableAutomaticRotation", Type: TypeBoolean, Default: "false", Note: "not with Origin EXTERNAL"},
			{
				Name: "RotationInterval", Type: TypeDuration, Required: true, OnlyIf: "EnableAutomaticRotation",
				Min: 7 * secondsPerDay, Max: 730 * secondsPerDay, Note: "needed with EnableAutomaticRotation, otherwise ignored",
			},
			{Name: "Tags", Type: TypeJSON, Note: `list of {"TagKey":...,"TagValue":...}, at most 20`},
			{Name: paramPolicy, Type: TypeJSON, Max: 32768, Note: "key policy"},
			{Name: "DKMSInstanceId", Note: "there are no instances: a value is refused"},
			{Name: "KeyStorageMechanism", Note: "ignored"},
		},
		Errors: []string{CodeInvalidParameter, CodeUnsupportedProtectionLevel, CodeRejectedLimitExceeded},
	},
	{
		Name: "DescribeKey", Kind: KindRead, Handle: handleDescribeKey, RAM: RAM{onKey("DescribeKey")},
		Summary: "Tells the metadata of one key.",
		Params:  []ParamSpec{anyKeyParam},
		Errors:  aliasOrKeyErrors,
	},
	{
		Name: "ListKeys", Kind: KindRead, Handle: handleListKeys, RAM: RAM{onKeys("ListKeys")},
		Summary: "Lists the keys of the region, page by page, in the order of their creation.",
		Params: []ParamSpec{
			pageNumber, pageSize,
			{Name: "Filters", Type: TypeJSON, Note: `list of {"Key":...,"Values":[...]}, at most 10 of 10 values; Key: KeyState, KeySpec, KeyUsage, ProtectionLevel, CreatorType`},
		},
		Errors: []string{CodeInvalidParameter},
	},
	{
		Name: "EnableKey", Kind: KindWrite, Handle: handleEnableKey, RAM: RAM{onKey("EnableKey")},
		Summary: "Makes a Disabled key usable again; does nothing to an Enabled one.",
		Params:  []ParamSpec{keyIDParam}, States: switchStates,
		Errors: keyErrors(CodeRejectedStateModifiedFailed),
	},
	{
		Name: "DisableKey", Kind: KindWrite, Handle: handleDisableKey, RAM: RAM{onKey("DisableKey")},
		Summary: "Makes a key unusable until it is enabled; does nothing to a Disabled one.",
		Params:  []ParamSpec{keyIDParam}, States: switchStates,
		Errors: keyErrors(CodeRejectedStateModifiedFailed),
	},
	{
		Name: "ScheduleKeyDeletion", Kind: KindWrite, Handle: handleScheduleKeyDeletion, RAM: RAM{onKey("ScheduleKeyDeletion")},
		Summary: "Sets a key to PendingDeletion; its material is destroyed when the window ends.",
		Params: []ParamSpec{
			keyIDParam, {Name: "PendingWindowInDays", Type: TypeInteger, Required: true, Min: 7, Max: 366},
		},
		States: unlessDying,
		Errors: keyErrors(CodeRejectedStateModifiedFailed, CodeRejectedDeletionProtection, CodeInvalidParameter),
	},
	{
		Name: "CancelKeyDeletion", Kind: KindWrite, Handle: handleCancelKeyDeletion, RAM: RAM{onKey("CancelKeyDeletion")},
		Summary: "Ends the deletion window: the key is Enabled again, or PendingImport without material.",
		Params:  []ParamSpec{keyIDParam}, States: onlyDying,
		Errors: keyErrors(CodeRejectedStateModifiedFailed),
	},
	{
		Name: "UpdateKeyDescription", Kind: KindWrite, Handle: handleUpdateKeyDescription, RAM: RAM{onKey("UpdateKeyDescription")},
		Summary: "Replaces the description of a key.",
		Params: []ParamSpec{
			keyIDParam, {Name: "Description", Required: true, AllowEmpty: true, Max: 8192, Note: "must be there; may be empty"},
		},
		States: editStates,
		Errors: keyErrors(CodeInvalidParameter, CodeRejectedPendingDeletion),
	},
}

var aliasActions = []Action{
	{
		Name: "CreateAlias", Kind: KindWrite, Handle: handleCreateAlias, RAM: RAM{onKey("CreateAlias"), onAlias("CreateAlias")},
		Summary: "Gives a key a name.",
		Params:  []ParamSpec{aliasParam, keyIDParam}, States: unlessDying,
		Errors: keyErrors(CodeAliasAlreadyExists, CodeRejectedStateModifiedFailed, CodeInvalidParameter, CodeRejectedLimitExceeded),
	},
	{
		Name: "UpdateAlias", Kind: KindWrite, Handle: handleUpdateAlias, RAM: RAM{onKey("UpdateAlias"), onAlias("UpdateAlias")},
		Summary: "Moves a name to another key.",
		Params:  []ParamSpec{aliasParam, keyIDParam}, States: editStates,
		Errors: keyErrors(CodeForbiddenAliasNotFound, CodeRejectedPendingDeletion, CodeInvalidParameter),
	},
	{
		Name: "DeleteAlias", Kind: KindWrite, Handle: handleDeleteAlias, RAM: RAM{onKey("DeleteAlias"), onAlias("DeleteAlias")},
		Summary: "Takes a name away from its key.",
		Params:  []ParamSpec{aliasParam},
		Errors:  []string{CodeForbiddenAliasNotFound, CodeInvalidParameter},
	},
	{
		Name: "ListAliases", Kind: KindRead, Handle: handleListAliases, RAM: RAM{onAliases("ListAliases")},
		Summary: "Lists the aliases of the region, page by page, by name.",
		Params:  []ParamSpec{pageNumber, pageSize},
		Errors:  []string{CodeInvalidParameter},
	},
	{
		Name: "ListAliasesByKeyId", Kind: KindRead, Handle: handleListAliasesByKeyId, RAM: RAM{onKey("ListAliasesByKeyId")},
		Summary: "Lists the aliases of one key, page by page, by name.",
		Params:  []ParamSpec{keyIDParam, pageNumber, pageSize},
		Errors:  keyErrors(CodeInvalidParameter),
	},
}

var cryptoActions = []Action{
	{
		Name: "Encrypt", Kind: KindCrypto, Handle: withDryRun(handleEncrypt), RAM: RAM{onKey("Encrypt")},
		Summary: "Seals a short plaintext under a key.",
		Params: []ParamSpec{
			anyKeyParam,
			plaintextParam,
			contextParam, dryRunParam,
		},
		States: cryptoStates,
		Errors: list(aliasOrKeyErrors, cryptoStateErrors, []string{CodeInvalidParameter, CodeUnsupportedOperation}, dryRunErrors),
	},
	{
		Name: "Decrypt", Kind: KindCrypto, Handle: withDryRun(handleDecrypt), RAM: RAM{onKey("Decrypt")},
		Summary: "Opens a blob under the key version that it names.",
		Params:  []ParamSpec{blobParam, contextParam, dryRunParam, noRecipient},
		States:  cryptoStates,
		Errors: list([]string{CodeForbiddenKeyNotFound}, cryptoStateErrors,
			[]string{CodeInvalidParameter, CodeInvalidParameterWrongRegion, CodeUnsupportedOperation}, dryRunErrors),
	},
	{
		Name: "GenerateDataKey", Kind: KindCrypto, Handle: withDryRun(handleGenerateDataKey), RAM: RAM{onKey("GenerateDataKey")},
		Summary: "Makes a random data key and returns it in clear and sealed.",
		Params:  []ParamSpec{anyKeyParam, dataKeySpec, dataKeyBytes, contextParam, dryRunParam, noRecipient},
		States:  cryptoStates,
		Errors:  list(aliasOrKeyErrors, cryptoStateErrors, []string{CodeInvalidParameter, CodeUnsupportedOperation}, dryRunErrors),
	},
	{
		Name: "GenerateDataKeyWithoutPlaintext", Kind: KindCrypto, Handle: withDryRun(handleGenerateDataKeyWithoutPlaintext),
		RAM:     RAM{onKey("GenerateDataKeyWithoutPlaintext")},
		Summary: "Makes a random data key and returns it sealed only.",
		Params:  []ParamSpec{anyKeyParam, dataKeySpec, dataKeyBytes, contextParam, dryRunParam},
		States:  cryptoStates,
		Errors:  list(aliasOrKeyErrors, cryptoStateErrors, []string{CodeInvalidParameter, CodeUnsupportedOperation}, dryRunErrors),
	},
	{
		Name: "ReEncrypt", Kind: KindCrypto, Handle: withDryRun(handleReEncrypt), RAM: RAM{onKey("ReEncryptFrom"), onKey("ReEncryptTo")},
		Summary: "Opens a blob and seals the content under another key, without showing it.",
		Params: []ParamSpec{
			blobParam,
			{Name: "DestinationKeyId", Type: TypeKeyID, Required: true, Alias: true, Note: "key id, key ARN, alias or alias ARN"},
			contextSpec("SourceEncryptionContext"), contextSpec("DestinationEncryptionContext"),
			{Name: "SourceKeyId", Type: TypeKeyID, Alias: true, Note: "may be sent and must then be the key in the blob"},
			{Name: "SourceKeyVersionId", Note: "asymmetric source only, which is not served yet"},
			{Name: "SourceEncryptionAlgorithm", Enum: []string{"RSAES_OAEP_SHA_256", "RSAES_OAEP_SHA_1", "SM2PKE"}, Note: "asymmetric source only, which is not served yet"},
			dryRunParam,
		},
		States: cryptoStates,
		Errors: list(aliasOrKeyErrors, []string{CodeForbiddenKeyVersionNotFound}, cryptoStateErrors,
			[]string{CodeInvalidParameter, CodeInvalidParameterWrongRegion, CodeUnsupportedOperation}, dryRunErrors),
	},
}

var accountActions = []Action{
	{
		Name: "DescribeRegions", Kind: KindRead, Handle: handleDescribeRegions,
		Summary: "Lists the regions that this deployment knows, itself first.",
	},
}
