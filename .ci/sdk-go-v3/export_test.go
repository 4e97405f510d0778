package v3

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"net/http"

	kms "github.com/alibabacloud-go/kms-20160120/v3/client"
	"github.com/alibabacloud-go/tea/tea"
)

// oaep is the wrapping of exports here; the classic SDK's tests have the others.
const oaep = "RSAES_OAEP_SHA_256"

// export makes a data key for a receiver outside, and moves data keys to the other region without anyone seeing them:
// exported here under a public key of that region, and re-encrypted there.
func export(west, east *caller) {
	from, to := west.newKey(), east.newKey()
	outside, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		west.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(outside.Public())
	if err != nil {
		west.Fatal(err)
	}
	transport := newKeyPair(east, "RSA_2048", encrypts)
	for range west.clients {
		made := must(west, (*kms.Client).GenerateAndExportDataKey, generateRequest(from, der)).Body
		got, err := rsa.DecryptOAEP(sha256.New(), nil, outside, west.decode(made.ExportedDataKey), nil)
		if sealed := west.decrypt(made.CiphertextBlob, payments); err != nil || len(got) != 32 || !bytes.Equal(got, sealed) {
			west.Errorf("the export opens to %d bytes, the blob to %d (%v)", len(got), len(sealed), err)
		}
		exported := must(west, (*kms.Client).ExportDataKey, &kms.ExportDataKeyRequest{
			CiphertextBlob: made.CiphertextBlob, EncryptionContext: payments, PublicKeyBlob: encode(transport.public(east)),
			WrappingAlgorithm: tea.String(oaep), WrappingKeySpec: tea.String("RSA_2048")}).Body
		moved := must(east, (*kms.Client).ReEncrypt, &kms.ReEncryptRequest{
			CiphertextBlob: exported.ExportedDataKey, SourceKeyId: &transport.id, SourceKeyVersionId: &transport.version,
			SourceEncryptionAlgorithm: tea.String(oaep), DestinationKeyId: &to, DestinationEncryptionContext: reports}).Body
		if opened := east.decrypt(moved.CiphertextBlob, reports); !bytes.Equal(opened, got) {
			west.Errorf("in the other region the data key is %d other bytes", len(opened))
		}
	}
	wrong := generateRequest(from, der[1:])
	refused(west, (*kms.Client).GenerateAndExportDataKey, wrong, http.StatusBadRequest, "InvalidParameter")
	long := generateRequest(from, der)
	long.NumberOfBytes = tea.Int32(191)
	refused(west, (*kms.Client).GenerateAndExportDataKey, long, http.StatusBadRequest, "InvalidParameter")
}

func generateRequest(key string, der []byte) *kms.GenerateAndExportDataKeyRequest {
	return &kms.GenerateAndExportDataKeyRequest{
		KeyId: &key, EncryptionContext: payments, PublicKeyBlob: encode(der),
		WrappingAlgorithm: tea.String(oaep), WrappingKeySpec: tea.String("RSA_2048"),
	}
}
