package classic

import (
	"net/http"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/kms"
)

const (
	wouldDo = "DryRunOperationError" // with status 412
	invalid = "ValidationError"      // with status 400
)

// dryRun asks each action that has DryRun whether it would succeed, on each node.
func dryRun(c, _ *caller) {
	key := c.createKey(nil).KeyId
	disabled := c.createKey(nil).KeyId
	blob := c.encrypt(key, []byte("text"), payments).CiphertextBlob
	c.disable(disabled)
	signer := newKeyPair(c, pair{spec: "EC_P256", usage: "SIGN/VERIFY"})
	encrypter := newKeyPair(c, pair{spec: "RSA_2048", usage: "ENCRYPT/DECRYPT"})
	to := receivers(c)[0]
	for range c.region.Endpoints {
		dryRunSymmetric(c, key, disabled, blob)
		dryRunExport(c, key, blob, to)
		dryRunAsymmetric(c, signer, encrypter)
	}
}

func dryRunSymmetric(c *caller, key, disabled, blob string) {
	c.Helper()
	encrypt := encryptRequest(key, []byte("text"), payments)
	encrypt.DryRun = "true"
	refused(c, c.client.Encrypt, encrypt.RpcRequest, encrypt, http.StatusPreconditionFailed, wouldDo)
	encrypt.Plaintext = "not Base64"
	refused(c, c.client.Encrypt, encrypt.RpcRequest, encrypt, http.StatusBadRequest, invalid)
	off := encryptRequest(disabled, []byte("text"), payments)
	off.DryRun = "true"
	refused(c, c.client.Encrypt, off.RpcRequest, off, http.StatusConflict, "Rejected.Disabled")
	unknown := encryptRequest(noKey, []byte("text"), payments)
	unknown.DryRun = "true"
	refused(c, c.client.Encrypt, unknown.RpcRequest, unknown, http.StatusNotFound, "Forbidden.KeyNotFound")
	neither := encryptRequest(key, []byte("text"), payments)
	neither.DryRun = "perhaps"
	refused(c, c.client.Encrypt, neither.RpcRequest, neither, http.StatusBadRequest, "InvalidParameter")

	decrypt := decryptRequest(blob, payments)
	decrypt.DryRun = "true"
	refused(c, c.client.Decrypt, decrypt.RpcRequest, decrypt, http.StatusPreconditionFailed, wouldDo)
	open := kms.CreateGenerateDataKeyRequest()
	open.KeyId, open.DryRun = key, "true"
	refused(c, c.client.GenerateDataKey, open.RpcRequest, open, http.StatusPreconditionFailed, wouldDo)
	blind := kms.CreateGenerateDataKeyWithoutPlaintextRequest()
	blind.KeyId, blind.DryRun = key, "true"
	refused(c, c.client.GenerateDataKeyWithoutPlaintext, blind.RpcRequest, blind, http.StatusPreconditionFailed, wouldDo)
	again := kms.CreateReEncryptRequest()
	again.CiphertextBlob, again.SourceEncryptionContext, again.DestinationKeyId, again.DryRun = blob, payments, key, "true"
	refused(c, c.client.ReEncrypt, again.RpcRequest, again, http.StatusPreconditionFailed, wouldDo)
	encrypt = encryptRequest(key, []byte("text"), payments)
	encrypt.DryRun = "false"
	must(c, c.client.Encrypt, encrypt.RpcRequest, encrypt)
}

func dryRunExport(c *caller, key, blob string, to receiver) {
	c.Helper()
	export := exportRequest(blob, payments, to)
	export.DryRun = "true"
	refused(c, c.client.ExportDataKey, export.RpcRequest, export, http.StatusPreconditionFailed, wouldDo)
	generate := generateRequest(key, to)
	generate.DryRun = "true"
	refused(c, c.client.GenerateAndExportDataKey, generate.RpcRequest, generate, http.StatusPreconditionFailed, wouldDo)
	generate.PublicKeyBlob = encode([]byte("no key"))
	refused(c, c.client.GenerateAndExportDataKey, generate.RpcRequest, generate, http.StatusBadRequest, invalid)
}

func dryRunAsymmetric(c *caller, signer, encrypter keyPair) {
	c.Helper()
	const oaep, ecdsa = "RSAES_OAEP_SHA_256", "ECDSA_SHA_256"
	encrypt := encrypter.encryption(oaep, []byte("text"))
	encrypt.DryRun = "true"
	refused(c, c.client.AsymmetricEncrypt, encrypt.RpcRequest, encrypt, http.StatusPreconditionFailed, wouldDo)
	sealed, err := encrypter.public.encrypt(oaep, []byte("text"))
	if err != nil {
		c.Fatal(err)
	}
	decrypt := encrypter.decryption(oaep, sealed)
	decrypt.DryRun = "true"
	refused(c, c.client.AsymmetricDecrypt, decrypt.RpcRequest, decrypt, http.StatusPreconditionFailed, wouldDo)
	sign := kms.CreateAsymmetricSignRequest()
	sign.KeyId, sign.KeyVersionId, sign.Algorithm, sign.DryRun = signer.id, signer.version, ecdsa, "true"
	sign.Digest = encode(make([]byte, 32))
	refused(c, c.client.AsymmetricSign, sign.RpcRequest, sign, http.StatusPreconditionFailed, wouldDo)
	sign.Digest = encode(make([]byte, 31))
	refused(c, c.client.AsymmetricSign, sign.RpcRequest, sign, http.StatusBadRequest, invalid)
	verify := kms.CreateAsymmetricVerifyRequest()
	verify.KeyId, verify.KeyVersionId, verify.Algorithm, verify.DryRun = signer.id, signer.version, ecdsa, "true"
	verify.Digest, verify.Value = encode(make([]byte, 32)), encode(make([]byte, 70))
	refused(c, c.client.AsymmetricVerify, verify.RpcRequest, verify, http.StatusPreconditionFailed, wouldDo)
	public := kms.CreateGetPublicKeyRequest()
	public.KeyId, public.KeyVersionId, public.DryRun = signer.id, signer.version, "true"
	refused(c, c.client.GetPublicKey, public.RpcRequest, public, http.StatusPreconditionFailed, wouldDo)
}
