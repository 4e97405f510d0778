package v3

import (
	"net/http"

	kms "github.com/alibabacloud-go/kms-20160120/v3/client"
	"github.com/alibabacloud-go/tea/tea"
)

// dryRun asks each action that has DryRun whether it would succeed, on each node.
func dryRun(c, _ *caller) {
	const wouldDo = "DryRunOperationError"
	on, key, text := tea.String("true"), c.newKey(), encode([]byte("text"))
	blob := c.encrypt(key, []byte("text"), nil).CiphertextBlob
	signer, encrypter := newKeyPair(c, "EC_P256", signs), newKeyPair(c, "RSA_2048", encrypts)
	sealed := encode(encryptOAEP(c, encrypter.der, oaep, []byte("text")))
	rsa2048, algorithm, ecdsa := tea.String("RSA_2048"), tea.String(oaep), tea.String("ECDSA_SHA_256")
	digest := encode(make([]byte, 32))
	for range c.clients {
		refused(c, (*kms.Client).Encrypt, &kms.EncryptRequest{KeyId: &key, Plaintext: text, DryRun: on}, http.StatusPreconditionFailed, wouldDo)
		refused(c, (*kms.Client).Decrypt, &kms.DecryptRequest{CiphertextBlob: blob, DryRun: on}, http.StatusPreconditionFailed, wouldDo)
		refused(c, (*kms.Client).GenerateDataKey, &kms.GenerateDataKeyRequest{KeyId: &key, DryRun: on}, http.StatusPreconditionFailed, wouldDo)
		refused(c, (*kms.Client).GenerateDataKeyWithoutPlaintext, &kms.GenerateDataKeyWithoutPlaintextRequest{KeyId: &key, DryRun: on}, http.StatusPreconditionFailed, wouldDo)
		refused(c, (*kms.Client).ReEncrypt, &kms.ReEncryptRequest{CiphertextBlob: blob, DestinationKeyId: &key, DryRun: on}, http.StatusPreconditionFailed, wouldDo)
		refused(c, (*kms.Client).ExportDataKey, &kms.ExportDataKeyRequest{
			CiphertextBlob: blob, PublicKeyBlob: encode(encrypter.der), WrappingAlgorithm: algorithm, WrappingKeySpec: rsa2048, DryRun: on},
			http.StatusPreconditionFailed, wouldDo)
		refused(c, (*kms.Client).GenerateAndExportDataKey, &kms.GenerateAndExportDataKeyRequest{
			KeyId: &key, PublicKeyBlob: encode(encrypter.der), WrappingAlgorithm: algorithm, WrappingKeySpec: rsa2048, DryRun: on},
			http.StatusPreconditionFailed, wouldDo)
		refused(c, (*kms.Client).AsymmetricEncrypt, &kms.AsymmetricEncryptRequest{
			KeyId: &encrypter.id, KeyVersionId: &encrypter.version, Algorithm: algorithm, Plaintext: text, DryRun: on}, http.StatusPreconditionFailed, wouldDo)
		refused(c, (*kms.Client).AsymmetricDecrypt, &kms.AsymmetricDecryptRequest{
			KeyId: &encrypter.id, KeyVersionId: &encrypter.version, Algorithm: algorithm, CiphertextBlob: sealed, DryRun: on}, http.StatusPreconditionFailed, wouldDo)
		refused(c, (*kms.Client).AsymmetricSign, &kms.AsymmetricSignRequest{
			KeyId: &signer.id, KeyVersionId: &signer.version, Algorithm: ecdsa, Digest: digest, DryRun: on}, http.StatusPreconditionFailed, wouldDo)
		refused(c, (*kms.Client).AsymmetricVerify, &kms.AsymmetricVerifyRequest{
			KeyId: &signer.id, KeyVersionId: &signer.version, Algorithm: ecdsa, Digest: digest, Value: text, DryRun: on}, http.StatusPreconditionFailed, wouldDo)
		refused(c, (*kms.Client).GetPublicKey, &kms.GetPublicKeyRequest{KeyId: &signer.id, KeyVersionId: &signer.version, DryRun: on}, http.StatusPreconditionFailed, wouldDo)

		refused(c, (*kms.Client).Encrypt, &kms.EncryptRequest{KeyId: &key, DryRun: on}, http.StatusBadRequest, "ValidationError")
		refused(c, (*kms.Client).GenerateDataKey, &kms.GenerateDataKeyRequest{KeyId: &key, NumberOfBytes: tea.Int32(0), DryRun: on}, http.StatusBadRequest, "ValidationError")
		refused(c, (*kms.Client).GetPublicKey, &kms.GetPublicKeyRequest{KeyId: tea.String(noKey), KeyVersionId: &signer.version, DryRun: on}, http.StatusNotFound, "Forbidden.KeyNotFound")
		refused(c, (*kms.Client).Encrypt, &kms.EncryptRequest{KeyId: &key, Plaintext: text, DryRun: tea.String("perhaps")}, http.StatusBadRequest, "InvalidParameter")
	}
}
