package api

// Parameters of the asymmetric actions.
var (
	encryptionScheme = ParamSpec{Name: paramAlgorithm, Required: true, Enum: encryptionSchemes, Note: "must fit the key's spec"}
	signatureScheme  = ParamSpec{Name: paramAlgorithm, Required: true, Enum: signatureSchemes, Note: "must fit the key's spec"}
	digestParam      = ParamSpec{
		Name: "Digest", Type: TypeBase64, Required: true, Min: digestBytes, Max: digestBytes,
		Note: "of the message, 32 bytes: SHA-256, or for SM2DSA SM3 over Z(A) and the message",
	}
	asymmetricErrors = list(aliasOrKeyErrors, []string{CodeForbiddenKeyVersionNotFound}, cryptoStateErrors,
		[]string{CodeRejectedUnsupportedOperation, CodeInvalidParameter}, dryRunErrors)
)

var asymmetricActions = []Action{
	{
		Name: "AsymmetricEncrypt", Kind: KindCrypto, DryRun: true, Handle: handleAsymmetricEncrypt, RAM: RAM{onKey("AsymmetricEncrypt")},
		Summary: "Encrypts with the public half of a key version.",
		Params: []ParamSpec{
			anyKeyParam, versionParam, encryptionScheme,
			{Name: "Plaintext", Type: TypeBase64, Required: true, Min: 1, Note: "how long it may be depends on key and algorithm"}, dryRunParam,
		},
		States:  cryptoStates,
		Answers: list(keyAnswer, []Member{{"CiphertextBlob", "base64", "as RSA or SM2 make it, without a header"}}),
		Errors:  asymmetricErrors,
	},
	{
		Name: "AsymmetricDecrypt", Kind: KindCrypto, DryRun: true, Handle: handleAsymmetricDecrypt, RAM: RAM{onKey("AsymmetricDecrypt")},
		Summary: "Decrypts with the private half of a key version.",
		Params: []ParamSpec{
			anyKeyParam, versionParam, encryptionScheme,
			{Name: paramBlob, Type: TypeBase64, Required: true, Note: "of RSA as long as the modulus; of SM2 at most 6144 bytes"}, dryRunParam,
		},
		States:  cryptoStates,
		Answers: list(keyAnswer, []Member{{"Plaintext", "base64", ""}}),
		Errors:  asymmetricErrors,
	},
	{
		Name: "AsymmetricSign", Kind: KindCrypto, DryRun: true, Handle: handleAsymmetricSign, RAM: RAM{onKey("AsymmetricSign")},
		Summary: "Signs a digest with a key version.",
		Params:  []ParamSpec{anyKeyParam, versionParam, signatureScheme, digestParam, dryRunParam},
		States:  cryptoStates,
		Answers: list(keyAnswer, []Member{{"Value", "base64", "the signature: of RSA as long as the modulus, of curves in ASN.1 DER"}}),
		Errors:  asymmetricErrors,
	},
	{
		Name: "AsymmetricVerify", Kind: KindCrypto, DryRun: true, Handle: handleAsymmetricVerify, RAM: RAM{onKey("AsymmetricVerify")},
		Summary: "Checks a signature.",
		Params: []ParamSpec{
			anyKeyParam, versionParam, signatureScheme, digestParam, {Name: "Value", Type: TypeBase64, Required: true, Note: "the signature"}, dryRunParam,
		},
		States:  cryptoStates,
		Answers: list(keyAnswer, []Member{{"Value", "boolean", "whether the signature is right; a wrong one is no error"}}),
		Errors:  asymmetricErrors,
	},
	{
		Name: "GetPublicKey", Kind: KindRead, DryRun: true, Handle: handleGetPublicKey, RAM: RAM{onKey("GetPublicKey")},
		Summary: "Returns the public half of a key version.",
		Params:  []ParamSpec{anyKeyParam, versionParam, dryRunParam},
		States:  cryptoStates,
		Answers: list(keyAnswer, []Member{{"PublicKey", "string", "SubjectPublicKeyInfo, PEM"}}),
		Errors: list(aliasOrKeyErrors, []string{CodeForbiddenKeyVersionNotFound}, cryptoStateErrors,
			[]string{CodeRejectedUnsupportedOperation}, dryRunErrors),
	},
}
