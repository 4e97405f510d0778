package api

import "meridian/crypto"

// Parameters of the batch actions.
var (
	fromParam = ParamSpec{Name: paramFrom, Required: true, Max: crypto.MaxRegionBytes, Note: "region that the data keys come from"}
	toParam   = ParamSpec{Name: paramTo, Required: true, Max: crypto.MaxRegionBytes, Note: "region that the data keys go to"}
	// transportVersion is a version of the transport key of the region that the data keys go to.
	transportVersion = ParamSpec{Name: paramTransportVersion, Type: TypeInteger, Required: true, Min: 1, Note: "of the transport key of the region that they go to"}
	carriesParam     = ParamSpec{Name: paramCarries, Default: carriesDataKeys, Enum: []string{carriesDataKeys, carriesTags}, Note: "tags: only what tells whether both regions have the same data keys"}
)

const (
	paramFrom             = "From"
	paramTo               = "To"
	paramTransportVersion = "TransportKeyVersion"
	paramCarries          = "Carries"

	carriesDataKeys = "data-keys"
	carriesTags     = "tags"
)

// meridianActions is the table of the actions that no other service has: data keys in batches between two regions.
var meridianActions = []Action{
	{
		Name: "GetTransportKey", Kind: KindRead, Handle: handleGetTransportKey, RAM: RAM{onAll("GetTransportKey")},
		Summary: "Returns the public half of the key pair under which data keys come in from other regions.",
		Answers: []Member{
			{"RegionId", "string", "of the region that answers"},
			{"TransportKeyVersion", "integer", "the newest"},
			{"PublicKey", "base64", "of HPKE (RFC 9180) with MLKEM768-P256"},
			{"Fingerprint", "string", "sha256: and 64 hex digits, as peers pin it"},
			{"CreationDate", "timestamp", ""},
		},
	},
	{
		Name: "RotateTransportKey", Kind: KindWrite, Handle: handleRotateTransportKey, RAM: RAM{onAll("RotateTransportKey")},
		Summary: "Makes a new transport key. The one before it still opens what is on its way; peers that pin have to pin the new one.",
		Answers: []Member{{"TransportKeyVersion", "integer", "the new one"}},
	},
	{
		Name: "ExportDataKeys", Kind: KindCrypto, Rows: true, DryRun: true, Handle: handleExportDataKeys, RAM: RAM{onKey("ExportDataKey")},
		Summary: "Opens blobs and answers their data keys sealed to the transport key of another region.",
		Params:  []ParamSpec{toParam, transportVersion, carriesParam, dryRunParam},
		States:  cryptoStates,
		Errors: list([]string{CodeForbiddenKeyNotFound, CodeInvalidParameterWrongRegion, CodeUnsupportedOperation, CodeParseRequestParameterException},
			exportErrors),
	},
	{
		Name: "ImportDataKeys", Kind: KindCrypto, Rows: true, DryRun: true, Handle: handleImportDataKeys, RAM: RAM{onKey("Encrypt")},
		Summary: "Seals data keys that another region exported, and proves by tags of the opened blobs that they are the same.",
		Params:  []ParamSpec{fromParam, transportVersion, dryRunParam},
		States:  cryptoStates,
		Errors: list([]string{CodeForbiddenKeyNotFound, CodeUnsupportedOperation, CodeParseRequestParameterException, CodeInvalidParameter},
			cryptoStateErrors, dryRunErrors),
	},
	{
		Name: "TagDataKeys", Kind: KindCrypto, Rows: true, DryRun: true, Handle: handleTagDataKeys, RAM: RAM{onKey("Decrypt")},
		Summary: "Tags data keys with the key that another region sent along, to be compared with the tags that it made.",
		Params:  []ParamSpec{fromParam, transportVersion, dryRunParam},
		States:  cryptoStates,
		Errors: list([]string{CodeForbiddenKeyNotFound, CodeInvalidParameterWrongRegion, CodeUnsupportedOperation, CodeParseRequestParameterException, CodeInvalidParameter},
			cryptoStateErrors, dryRunErrors),
	},
}
