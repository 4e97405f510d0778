package api

// Parameters that name the public key to export to.
var (
	publicKeyParam  = ParamSpec{Name: paramPublicKey, Type: TypeBase64, Required: true, Note: "SubjectPublicKeyInfo in DER, Base64"}
	wrappingScheme  = ParamSpec{Name: "WrappingAlgorithm", Required: true, Enum: encryptionSchemes, Note: "must fit the public key"}
	wrappingKeySpec = ParamSpec{Name: "WrappingKeySpec", Required: true, Enum: []string{specRSA2048, specSM2}, Note: "kind of the public key"}
	exportErrors    = list(cryptoStateErrors, []string{CodeInvalidParameter}, dryRunErrors, []string{CodeForbiddenExportNotAllowed})
)

var exportActions = []Action{
	{
		Name: "ExportDataKey", Kind: KindCrypto, DryRun: true, Handle: handleExportDataKey, RAM: RAM{onKey("ExportDataKey")},
		Summary: "Opens a sealed data key and returns it encrypted under the public key that the caller sends.",
		Params:  []ParamSpec{blobParam, contextParam, publicKeyParam, wrappingScheme, wrappingKeySpec, dryRunParam},
		States:  cryptoStates,
		Answers: list(keyAnswer, []Member{{"ExportedDataKey", "base64", "encrypted under the public key"}}),
		Errors:  list([]string{CodeForbiddenKeyNotFound, CodeInvalidParameterWrongRegion}, exportErrors),
	},
	{
		Name: "GenerateAndExportDataKey", Kind: KindCrypto, DryRun: true, Handle: handleGenerateAndExportDataKey, RAM: RAM{onKey("GenerateAndExportDataKey")},
		Summary: "Makes a data key and returns it sealed, and encrypted under the public key that the caller sends.",
		Params:  []ParamSpec{anyKeyParam, dataKeySpec, dataKeyBytes, contextParam, publicKeyParam, wrappingScheme, wrappingKeySpec, dryRunParam},
		States:  cryptoStates,
		Answers: list(blobAnswer, []Member{{"ExportedDataKey", "base64", "encrypted under the public key"}}),
		Errors:  list(aliasOrKeyErrors, exportErrors),
	},
}
