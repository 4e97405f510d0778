package api

var cryptoActions = []Action{
	{
		Name: "Encrypt", Kind: KindCrypto, DryRun: true, Handle: handleEncrypt, RAM: RAM{onKey("Encrypt")},
		Summary: "Seals a short plaintext under a key.",
		Params: []ParamSpec{
			anyKeyParam,
			plaintextParam,
			contextParam, dryRunParam,
		},
		States:  cryptoStates,
		Answers: blobAnswer,
		Errors:  list(aliasOrKeyErrors, cryptoStateErrors, []string{CodeInvalidParameter, CodeUnsupportedOperation}, dryRunErrors),
	},
	{
		Name: "Decrypt", Kind: KindCrypto, DryRun: true, Handle: handleDecrypt, RAM: RAM{onKey("Decrypt")},
		Summary: "Opens a blob under the key version that it names.",
		Params:  []ParamSpec{blobParam, contextParam, dryRunParam, noRecipient},
		States:  cryptoStates,
		Answers: list(keyAnswer, []Member{{"Plaintext", "base64", ""}}),
		Errors: list([]string{CodeForbiddenKeyNotFound}, cryptoStateErrors,
			[]string{CodeInvalidParameter, CodeInvalidParameterWrongRegion, CodeUnsupportedOperation}, dryRunErrors),
	},
	{
		Name: "GenerateDataKey", Kind: KindCrypto, DryRun: true, Handle: handleGenerateDataKey, RAM: RAM{onKey("GenerateDataKey")},
		Summary: "Makes a random data key and returns it in clear and sealed.",
		Params:  []ParamSpec{anyKeyParam, dataKeySpec, dataKeyBytes, contextParam, dryRunParam, noRecipient},
		States:  cryptoStates,
		Answers: list(blobAnswer, []Member{{"Plaintext", "base64", "the data key"}}),
		Errors:  list(aliasOrKeyErrors, cryptoStateErrors, []string{CodeInvalidParameter, CodeUnsupportedOperation}, dryRunErrors),
	},
	{
		Name: "GenerateDataKeyWithoutPlaintext", Kind: KindCrypto, DryRun: true, Handle: handleGenerateDataKeyWithoutPlaintext,
		RAM:     RAM{onKey("GenerateDataKeyWithoutPlaintext")},
		Summary: "Makes a random data key and returns it sealed only.",
		Params:  []ParamSpec{anyKeyParam, dataKeySpec, dataKeyBytes, contextParam, dryRunParam},
		States:  cryptoStates,
		Answers: blobAnswer,
		Errors:  list(aliasOrKeyErrors, cryptoStateErrors, []string{CodeInvalidParameter, CodeUnsupportedOperation}, dryRunErrors),
	},
	{
		Name: "ReEncrypt", Kind: KindCrypto, DryRun: true, Handle: handleReEncrypt, RAM: RAM{onKey("ReEncryptFrom"), onKey("ReEncryptTo")},
		Summary: "Opens a blob and seals the content under another key, without showing it.",
		Params: []ParamSpec{
			blobParam,
			{Name: "DestinationKeyId", Type: TypeKeyID, Required: true, Alias: true, Note: "key id, key ARN, alias or alias ARN"},
			contextSpec("SourceEncryptionContext"), contextSpec("DestinationEncryptionContext"),
			{Name: "SourceKeyId", Type: TypeKeyID, Alias: true, Note: "needed with an asymmetric source; with a blob it may be sent and must then be the key inside"},
			{Name: "SourceKeyVersionId", Note: "asymmetric source only"},
			{Name: "SourceEncryptionAlgorithm", Enum: encryptionSchemes, Note: "asymmetric source only"},
			dryRunParam,
		},
		States:  cryptoStates,
		Answers: blobAnswer,
		Errors: list(aliasOrKeyErrors, []string{CodeForbiddenKeyVersionNotFound}, cryptoStateErrors,
			[]string{CodeInvalidParameter, CodeInvalidParameterWrongRegion, CodeUnsupportedOperation}, dryRunErrors),
	},
}
