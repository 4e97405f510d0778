package api

import (
	"fmt"
	"maps"
	"testing"
)

// scene prepares what an action needs and returns parameters with which it succeeds, all optional ones included. Each
// call prepares anew: a write succeeds once.
type scene func(tb testing.TB, h *harness) params

var sceneCount int

// freshAlias is an alias that no test used before.
func freshAlias() string {
	sceneCount++
	return fmt.Sprintf("alias/conformance-%d", sceneCount)
}

func keyScene(state string, more ...string) scene {
	return func(tb testing.TB, h *harness) params { return with(params{"KeyId": h.keyIn(tb, state)}, more...) }
}

func aliasScene(exists, moved bool) scene {
	return func(tb testing.TB, h *harness) params {
		p := params{"AliasName": freshAlias(), "KeyId": h.newKey(tb)}
		if exists {
			h.ok(tb, "CreateAlias", p)
		}
		if moved {
			p = with(p, "KeyId", h.newKey(tb))
		}
		return p
	}
}

// scenes has one entry for each action.
var scenes = map[string]scene{
	"CreateKey": func(testing.TB, *harness) params {
		return params{
			"Description": "orders", "KeySpec": "Aliyun_AES_256", "KeyUsage": "ENCRYPT/DECRYPT", "Origin": "Aliyun_KMS",
			"ProtectionLevel": "SOFTWARE", "EnableAutomaticRotation": "true", "RotationInterval": "30d",
			"Tags": `[{"TagKey":"team","TagValue":"orders"}]`, "KeyStorageMechanism": "any",
			"Policy": testPolicy,
		}
	},
	"DescribeKey":          keyScene("Enabled"),
	"ListKeys":             func(testing.TB, *harness) params { return params{"PageNumber": "1", "PageSize": "10", "Filters": `[]`} },
	"EnableKey":            keyScene("Disabled"),
	"DisableKey":           keyScene("Enabled"),
	"ScheduleKeyDeletion":  keyScene("Enabled", "PendingWindowInDays", "7"),
	"CancelKeyDeletion":    keyScene("PendingDeletion"),
	"UpdateKeyDescription": keyScene("Enabled", "Description", "orders"),
	"CreateAlias":          aliasScene(false, false),
	"UpdateAlias":          aliasScene(true, true),
	"DeleteAlias": func(tb testing.TB, h *harness) params {
		return with(aliasScene(true, false)(tb, h), "KeyId", "-")
	},
	"ListAliases": func(testing.TB, *harness) params { return params{"PageNumber": "1", "PageSize": "10"} },
	"ListAliasesByKeyId": func(tb testing.TB, h *harness) params {
		p := aliasScene(true, false)(tb, h)
		return params{"KeyId": p["KeyId"], "PageNumber": "1", "PageSize": "10"}
	},
	"Encrypt": keyScene("Enabled", "Plaintext", "aGVsbG8=", "EncryptionContext", `{"a":"b"}`, "DryRun", "false"),
	"Decrypt": func(tb testing.TB, h *harness) params {
		return params{"CiphertextBlob": h.encrypt(tb, h.newKey(tb), "hello"), "EncryptionContext": "{}", "DryRun": "false"}
	},
	"GenerateDataKey": keyScene("Enabled", "KeySpec", "AES_128", "NumberOfBytes", "24", "EncryptionContext", `{"a":"b"}`, "DryRun", "false"),
	"GenerateDataKeyWithoutPlaintext": keyScene("Enabled", "KeySpec", "AES_128", "NumberOfBytes", "24", "EncryptionContext", `{"a":"b"}`,
		"DryRun", "false"),
	"ReEncrypt": func(tb testing.TB, h *harness) params {
		key := h.newKey(tb)
		return params{
			"CiphertextBlob": h.encrypt(tb, key, "hello"), "SourceEncryptionContext": "{}",
			"DestinationKeyId": h.newKey(tb), "DestinationEncryptionContext": `{"c":"d"}`, "SourceKeyId": key, "DryRun": "false",
		}
	},
	"DescribeRegions": func(testing.TB, *harness) params { return nil },
	"SetDeletionProtection": func(tb testing.TB, h *harness) params {
		key := h.newKey(tb)
		return params{
			"KeyId": key, "ProtectedResourceArn": h.ok(tb, "DescribeKey", params{"KeyId": key}).text("KeyMetadata.Arn"),
			"EnableDeletionProtection": "true", "DeletionProtectionDescription": "keep",
		}
	},
	"UpdateRotationPolicy": keyScene("Enabled", "EnableAutomaticRotation", "true", "RotationInterval", "30d"),
	"CreateKeyVersion":     keyScene("Enabled"),
	"DescribeKeyVersion": func(tb testing.TB, h *harness) params {
		key := h.newKey(tb)
		return params{"KeyId": key, "KeyVersionId": h.newestVersion(tb, key)}
	},
	"ListKeyVersions": keyScene("Enabled", "PageNumber", "1", "PageSize", "10"),
	"ExportDataKey": func(tb testing.TB, h *harness) params {
		return params{
			"CiphertextBlob": h.encrypt(tb, h.newKey(tb), "hello"), "EncryptionContext": "{}", "DryRun": "false",
			"PublicKeyBlob": testPublicKey(tb), "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048",
		}
	},
	"GenerateAndExportDataKey": func(tb testing.TB, h *harness) params {
		return params{
			"KeyId": h.newKey(tb), "KeySpec": "AES_128", "NumberOfBytes": "24", "EncryptionContext": `{"a":"b"}`, "DryRun": "false",
			"PublicKeyBlob": testPublicKey(tb), "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048",
		}
	},
	"AsymmetricEncrypt": pairScene("EC_SM2", usageEncrypt, "SM2PKE", func(testing.TB, *harness, params) params {
		return params{"Plaintext": "aGVsbG8="}
	}),
	"AsymmetricDecrypt": pairScene("EC_SM2", usageEncrypt, "SM2PKE", func(tb testing.TB, h *harness, p params) params {
		return params{"CiphertextBlob": h.ok(tb, "AsymmetricEncrypt", with(p, "Plaintext", "aGVsbG8=")).text("CiphertextBlob")}
	}),
	"AsymmetricSign": pairScene("EC_P256", usageSign, "ECDSA_SHA_256", func(testing.TB, *harness, params) params {
		return params{"Digest": testDigest}
	}),
	"AsymmetricVerify": pairScene("EC_P256", usageSign, "ECDSA_SHA_256", func(tb testing.TB, h *harness, p params) params {
		return params{"Digest": testDigest, "Value": h.ok(tb, "AsymmetricSign", with(p, "Digest", testDigest)).text("Value")}
	}),
	"GetPublicKey": func(tb testing.TB, h *harness) params {
		key := h.newKeyOf(tb, "EC_P256", "")
		return params{"KeyId": key, "KeyVersionId": h.newestVersion(tb, key), "DryRun": "false"}
	},
	"GetParametersForImport": keyScene("PendingImport", "WrappingAlgorithm", "RSAES_OAEP_SHA_256", "WrappingKeySpec", "RSA_2048"),
	"ImportKeyMaterial": func(tb testing.TB, h *harness) params {
		return h.importParams(tb, h.keyIn(tb, "PendingImport"), "RSAES_OAEP_SHA_256", testMaterial, "KeyMaterialExpireUnix", "4102444800")
	},
	"DeleteKeyMaterial": func(tb testing.TB, h *harness) params { return params{"KeyId": h.importedKey(tb)} },
	"TagResource":       keyScene("Enabled", "Tags", `[{"TagKey":"team","TagValue":"orders"}]`),
	"UntagResource":     keyScene("Enabled", "TagKeys", `["team"]`),
	"ListResourceTags": func(tb testing.TB, h *harness) params {
		key := h.newKey(tb)
		h.ok(tb, "TagResource", params{"KeyId": key, "Tags": `[{"TagKey":"team","TagValue":"orders"}]`})
		return params{"KeyId": key}
	},
	"TagResources": tagScene,
	"UntagResources": func(tb testing.TB, h *harness) params {
		return params{"RegionId": testRegionID, "ResourceType": "key", "ResourceId.1": h.newKey(tb), "TagKey.1": "team", "All": "true"}
	},
	"ListTagResources": func(tb testing.TB, h *harness) params {
		p := tagScene(tb, h)
		h.ok(tb, "TagResources", p)
		return p
	},
	"GetKeyPolicy":             keyScene("Enabled", "PolicyName", "default"),
	"SetKeyPolicy":             keyScene("Enabled", "PolicyName", "default", "Policy", testPolicy),
	"DescribeAccountKmsStatus": func(testing.TB, *harness) params { return nil },
	"OpenKmsService":           func(testing.TB, *harness) params { return nil },
	"GetRandomPassword": func(testing.TB, *harness) params {
		return params{
			"PasswordLength": "20", "ExcludeLowercase": "false", "ExcludeUppercase": "true", "ExcludeNumbers": "false", "ExcludePunctuation": "true",
			"ExcludeCharacters": "aeiou", "RequireEachIncludedType": "true",
		}
	},
}

// alwaysRefused are the actions that have no answer but an error.
var alwaysRefused = map[string]string{"OpenKmsService": CodeForbiddenOpened}

// What scenes send.
const (
	testPolicy   = `{"Version":"1","Statement":[{"Effect":"Allow","Principal":{"RAM":["acs:ram::1:root"]},"Action":["kms:*"],"Resource":["*"]}]}`
	testDigest   = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=" // SHA-256 of hello
	testMaterial = "0123456789abcdef0123456789abcdef"
)

func tagScene(tb testing.TB, h *harness) params {
	return params{"RegionId": testRegionID, "ResourceType": "key", "ResourceId.1": h.newKey(tb), "Tag.1.Key": "team", "Tag.1.Value": "orders"}
}

// pairScene is a key pair of its own with the parameters that every asymmetric action has, and those that it adds.
func pairScene(spec, usage, algorithm string, more func(testing.TB, *harness, params) params) scene {
	return func(tb testing.TB, h *harness) params {
		key := h.newKeyOf(tb, spec, usage)
		p := params{"KeyId": key, "KeyVersionId": h.newestVersion(tb, key), "Algorithm": algorithm}
		maps.Copy(p, more(tb, h, p))
		return with(p, "DryRun", "false")
	}
}
