package api

var keyActions = []Action{
	{
		Name: "CreateKey", Kind: KindWrite, Handle: handleCreateKey, RAM: RAM{onKeys("CreateKey")},
		Summary: "Makes a key and, unless its material is to be imported, its first version.",
		Params: []ParamSpec{
			description,
			{Name: "KeySpec", Default: specAES256, Enum: keySpecNames},
			{Name: "KeyUsage", Enum: []string{usageEncrypt, usageSign}, Note: "default: " + usageEncrypt + " where the spec can, else " + usageSign},
			{Name: "Origin", Default: originOwn, Enum: []string{originOwn, originExternal}, Note: "EXTERNAL with symmetric specs only; such a key starts as PendingImport"},
			{Name: "ProtectionLevel", Default: levelSoftware, Enum: []string{levelSoftware, levelHSM}, Note: "HSM is refused"},
			automatic, interval, tagList, policyParam,
			noInstance("DKMSInstanceId"),
			{Name: "KeyStorageMechanism", Note: "ignored"},
		},
		Answers: metadataAnswer,
		Errors:  []string{CodeInvalidParameter, CodeUnsupportedProtectionLevel, CodeRejectedLimitExceeded},
	},
	{
		Name: "DescribeKey", Kind: KindRead, Handle: handleDescribeKey, RAM: RAM{onKey("DescribeKey")},
		Summary: "Tells the metadata of one key.",
		Params:  []ParamSpec{anyKeyParam},
		Answers: metadataAnswer,
		Errors:  aliasOrKeyErrors,
	},
	{
		Name: "ListKeys", Kind: KindRead, Handle: handleListKeys, RAM: RAM{onKeys("ListKeys")},
		Summary: "Lists the keys of the region, page by page, in the order of their creation.",
		Params: []ParamSpec{
			pageNumber, pageSize,
			{Name: "Filters", Type: TypeJSON, Note: `list of {"Key":...,"Values":[...]}, at most 10 of 10 values; Key: KeyState, KeySpec, KeyUsage, ProtectionLevel, CreatorType`},
		},
		Answers: list([]Member{{"Keys.Key[].KeyId", "string", ""}, {"Keys.Key[].KeyArn", "string", ""}}, pageAnswers),
		Errors:  []string{CodeInvalidParameter},
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
	{
		Name: "SetDeletionProtection", Kind: KindWrite, Handle: handleSetDeletionProtection, RAM: RAM{onKey("SetDeletionProtection")},
		Summary: "Turns protection against ScheduleKeyDeletion on or off.",
		Params: []ParamSpec{
			{Name: "ProtectedResourceArn", Type: TypeKeyID, Note: "key ARN; one of it and KeyId must be there, and both must name one key"},
			{Name: "KeyId", Type: TypeKeyID, Note: "key id or key ARN"},
			{Name: "EnableDeletionProtection", Type: TypeBoolean, Required: true},
			{Name: "DeletionProtectionDescription", Max: 8192, Note: "kept while protection is on"},
			noInstance("KmsInstanceId"),
		},
		States: unlessDying,
		Errors: keyErrors(CodeRejectedStateModifiedFailed, CodeMissingParameter),
	},
	{
		Name: "UpdateRotationPolicy", Kind: KindWrite, Handle: handleUpdateRotationPolicy, RAM: RAM{onKey("UpdateRotationPolicy")},
		Summary: "Turns automatic rotation on or off.",
		Params:  []ParamSpec{keyIDParam, {Name: "EnableAutomaticRotation", Type: TypeBoolean, Required: true}, interval},
		States:  cryptoStates,
		Errors: keyErrors(CodeRejectedDisabled, CodeRejectedPendingDeletion, CodeRejectedPendingImport, CodeUnsupportedOrigin, CodeUnsupportedOperation,
			CodeInvalidParameter, CodeMissingParameter),
	},
}

// noInstance is a parameter that names an instance of the public service: there are none here.
func noInstance(name string) ParamSpec {
	return ParamSpec{Name: name, Unserved: "there are no instances here; leave it out", Note: "there are no instances: a value is refused"}
}

// metadataAnswer is the member that CreateKey and DescribeKey answer with.
var metadataAnswer = []Member{
	{"KeyMetadata.Arn", "string", "acs:kms:REGION:ACCOUNT:key/KEYID"},
	{"KeyMetadata.AutomaticRotation", "string", "Enabled, Disabled, or Suspended: on, but the key is not Enabled"},
	{"KeyMetadata.CreationDate", "timestamp", ""},
	{"KeyMetadata.Creator", "string", "account id"},
	{"KeyMetadata.DeleteDate", "string", "timestamp while PendingDeletion, else empty"},
	{"KeyMetadata.DeletionProtection", "string", "Enabled or Disabled"},
	{"KeyMetadata.DeletionProtectionDescription", "string", "only while protection is on"},
	{"KeyMetadata.Description", "string", "may be empty"},
	{"KeyMetadata.KeyId", "string", "UUID"},
	{"KeyMetadata.KeySpec", "string", ""},
	{"KeyMetadata.KeyState", "string", "Enabled, Disabled, PendingDeletion or PendingImport"},
	{"KeyMetadata.KeyUsage", "string", usageEncrypt + " or " + usageSign},
	{"KeyMetadata.LastRotationDate", "timestamp", "creation of the newest version; of the key itself at first"},
	{"KeyMetadata.MaterialExpireTime", "string", "timestamp for imported material that expires, else empty"},
	{"KeyMetadata.NextRotationDate", "timestamp", "only if AutomaticRotation is Enabled or Suspended"},
	{"KeyMetadata.Origin", "string", originOwn + " or " + originExternal},
	{"KeyMetadata.PrimaryKeyVersion", "string", "symmetric keys only; empty while PendingImport"},
	{"KeyMetadata.ProtectionLevel", "string", levelSoftware},
	{"KeyMetadata.RotationInterval", "string", "seconds with an s, such as 604800s; only with NextRotationDate"},
}
