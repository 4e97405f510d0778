package api

import "meridian/crypto"

var importActions = []Action{
	{
		Name: "GetParametersForImport", Kind: KindWrite, Handle: handleGetParametersForImport, RAM: RAM{onKey("GetParametersForImport")},
		Summary: "Hands out a public key and a token for one import of key material.",
		Params: []ParamSpec{
			keyIDParam,
			{Name: "WrappingAlgorithm", Required: true, Enum: []string{
				string(crypto.RSAESPKCS1v15), string(crypto.RSAESOAEPSHA1), string(crypto.RSAESOAEPSHA256), string(crypto.SM2PKE),
			}, Note: string(crypto.SM2PKE) + " is refused"},
			{Name: "WrappingKeySpec", Required: true, Enum: []string{specRSA2048, specSM2}, Note: specSM2 + " is refused"},
		},
		Answers: []Member{
			{"KeyId", "string", "id of the key"}, {"ImportToken", "base64", "good for one import"},
			{"PublicKey", "base64", "SubjectPublicKeyInfo in DER"}, {"TokenExpireTime", "timestamp", "in 24 hours"},
		},
		Errors: keyErrors(CodeUnsupportedOrigin, CodeInvalidParameter),
	},
	{
		Name: "ImportKeyMaterial", Kind: KindWrite, Handle: handleImportKeyMaterial, RAM: RAM{onKey("ImportKeyMaterial")},
		Summary: "Gives a key of origin EXTERNAL its material; later the same material only.",
		Params: []ParamSpec{
			keyIDParam,
			{Name: "EncryptedKeyMaterial", Type: TypeBase64, Required: true, Note: "the material, encrypted under the public key of GetParametersForImport"},
			{Name: "ImportToken", Type: TypeBase64, Required: true},
			{Name: "KeyMaterialExpireUnix", Type: TypeLong, Default: "0", Note: "seconds since 1970; 0: never"},
		},
		States: unlessDying,
		Errors: keyErrors(CodeUnsupportedOrigin, CodeInvalidImportToken, CodeExpiredImportToken, CodeInvalidKeyMaterial,
			CodeRejectedStateModifiedFailed, CodeInvalidParameter),
	},
	{
		Name: "DeleteKeyMaterial", Kind: KindWrite, Handle: handleDeleteKeyMaterial, RAM: RAM{onKey("DeleteKeyMaterial")},
		Summary: "Destroys imported material: the key is PendingImport then. Without material it does nothing.",
		Params:  []ParamSpec{keyIDParam},
		Errors:  keyErrors(CodeUnsupportedOrigin),
	},
}
