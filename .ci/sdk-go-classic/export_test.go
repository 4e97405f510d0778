package classic

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"net/http"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/kms"
	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
)

// receiver is who data keys are exported to: the public half in DER, and how to open what is encrypted under it.
type receiver struct {
	spec, algorithm string
	most            int // bytes that an export can hold
	der             []byte
	open            func(sealed []byte) ([]byte, error)
}

// receivers are one of each wrapping that an export knows.
func receivers(c *caller) []receiver {
	c.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		c.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		c.Fatal(err)
	}
	sm2Key, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		c.Fatal(err)
	}
	sm2DER, err := smx509.MarshalPKIXPublicKey(&sm2Key.PublicKey)
	if err != nil {
		c.Fatal(err)
	}
	return []receiver{
		{"RSA_2048", "RSAES_OAEP_SHA_256", 190, der, func(sealed []byte) ([]byte, error) {
			return rsa.DecryptOAEP(sha256.New(), nil, key, sealed, nil)
		}},
		{"RSA_2048", "RSAES_OAEP_SHA_1", 214, der, func(sealed []byte) ([]byte, error) {
			return rsa.DecryptOAEP(sha1.New(), nil, key, sealed, nil)
		}},
		{"EC_SM2", "SM2PKE", 1024, sm2DER, func(sealed []byte) ([]byte, error) { return sm2.Decrypt(sm2Key, sealed) }},
	}
}

// export hands data keys to receivers outside.
func export(c, _ *caller) {
	key := c.createKey(nil).KeyId
	for _, r := range receivers(c) {
		for _, size := range []int{16, 32, r.most} {
			exports(c, key, r, size)
			generates(c, key, r, size)
		}
		if r.spec == "RSA_2048" {
			tooLong(c, key, r)
		}
	}
	wrongReceivers(c, key)
}

// exports has a node export a data key that another made.
func exports(c *caller, key string, r receiver, size int) {
	c.Helper()
	make := kms.CreateGenerateDataKeyRequest()
	make.KeyId, make.NumberOfBytes, make.EncryptionContext = key, requests.NewInteger(size), payments
	made := must(c, c.client.GenerateDataKey, make.RpcRequest, make)
	request := exportRequest(made.CiphertextBlob, payments, r)
	answer := must(c, c.client.ExportDataKey, request.RpcRequest, request)
	if answer.KeyId != key || answer.KeyVersionId != made.KeyVersionId {
		c.Errorf("ExportDataKey answers %+v", answer)
	}
	if got, err := r.open(c.decode(answer.ExportedDataKey)); err != nil || !bytes.Equal(got, c.decode(made.Plaintext)) {
		c.Errorf("%s: the export of %d bytes opens to %d others (%v)", r.algorithm, size, len(got), err)
	}
	wrong := exportRequest(made.CiphertextBlob, reports, r)
	refused(c, c.client.ExportDataKey, wrong.RpcRequest, wrong, http.StatusBadRequest, "InvalidParameter")
}

func exportRequest(blob, context string, r receiver) *kms.ExportDataKeyRequest {
	request := kms.CreateExportDataKeyRequest()
	request.CiphertextBlob, request.EncryptionContext, request.PublicKeyBlob = blob, context, encode(r.der)
	request.WrappingAlgorithm, request.WrappingKeySpec = r.algorithm, r.spec
	return request
}

// generates has a node make a data key, sealed and exported at once.
func generates(c *caller, key string, r receiver, size int) {
	c.Helper()
	request := generateRequest(key, r)
	request.NumberOfBytes = requests.NewInteger(size)
	answer := must(c, c.client.GenerateAndExportDataKey, request.RpcRequest, request)
	got, err := r.open(c.decode(answer.ExportedDataKey))
	if sealed := c.decrypt(answer.CiphertextBlob, payments); err != nil || len(got) != size || !bytes.Equal(got, sealed) {
		c.Errorf("%s: a data key of %d bytes is exported as %d and sealed as %d (%v)", r.algorithm, size, len(got), len(sealed), err)
	}
}

func generateRequest(key string, r receiver) *kms.GenerateAndExportDataKeyRequest {
	request := kms.CreateGenerateAndExportDataKeyRequest()
	request.KeyId, request.EncryptionContext, request.PublicKeyBlob = key, payments, encode(r.der)
	request.WrappingAlgorithm, request.WrappingKeySpec = r.algorithm, r.spec
	return request
}

// tooLong asks for one byte more than fits.
func tooLong(c *caller, key string, r receiver) {
	c.Helper()
	generate := generateRequest(key, r)
	generate.NumberOfBytes = requests.NewInteger(r.most + 1)
	refused(c, c.client.GenerateAndExportDataKey, generate.RpcRequest, generate, http.StatusBadRequest, "InvalidParameter")
	make := kms.CreateGenerateDataKeyWithoutPlaintextRequest()
	make.KeyId, make.NumberOfBytes = key, requests.NewInteger(r.most+1)
	blob := must(c, c.client.GenerateDataKeyWithoutPlaintext, make.RpcRequest, make).CiphertextBlob
	request := exportRequest(blob, "", r)
	refused(c, c.client.ExportDataKey, request.RpcRequest, request, http.StatusBadRequest, "InvalidParameter")
}

// wrongReceivers are public keys that do not fit, or are none.
func wrongReceivers(c *caller, key string) {
	c.Helper()
	large, err := rsa.GenerateKey(rand.Reader, 3072)
	if err != nil {
		c.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(large.Public())
	if err != nil {
		c.Fatal(err)
	}
	good := receivers(c)
	wrong := []receiver{
		{spec: "RSA_2048", algorithm: "RSAES_OAEP_SHA_256", der: der},
		{spec: "RSA_2048", algorithm: "RSAES_OAEP_SHA_256", der: good[0].der[1:]},
		{spec: "RSA_2048", algorithm: "RSAES_OAEP_SHA_256", der: good[2].der},
		{spec: "EC_SM2", algorithm: "SM2PKE", der: good[0].der},
		{spec: "EC_SM2", algorithm: "RSAES_OAEP_SHA_256", der: good[0].der},
		{spec: "RSA_2048", algorithm: "RSAES_PKCS1_V1_5", der: good[0].der},
	}
	for _, r := range wrong {
		request := generateRequest(key, r)
		refused(c, c.client.GenerateAndExportDataKey, request.RpcRequest, request, http.StatusBadRequest, "InvalidParameter")
	}
}

// move takes data keys from one region to the other without anyone seeing them: exported here under a public key of the
// other region, and re-encrypted there.
func move(west, east *caller) {
	from, to := west.createKey(nil).KeyId, east.createKey(nil).KeyId
	pairs := []struct {
		spec       string
		algorithms []string
	}{{"RSA_2048", []string{"RSAES_OAEP_SHA_256", "RSAES_OAEP_SHA_1"}}, {"EC_SM2", []string{"SM2PKE"}}}
	for _, p := range pairs {
		transport := newKeyPair(east, pair{spec: p.spec, usage: "ENCRYPT/DECRYPT"})
		for _, algorithm := range p.algorithms {
			for range west.region.Endpoints {
				moves(west, east, from, to, transport, receiver{spec: p.spec, algorithm: algorithm})
			}
		}
	}
}

func moves(west, east *caller, from, to string, transport keyPair, r receiver) {
	west.Helper()
	request := kms.CreateGetPublicKeyRequest()
	request.KeyId, request.KeyVersionId = transport.alias, transport.version
	block, _ := pem.Decode([]byte(must(east, east.client.GetPublicKey, request.RpcRequest, request).PublicKey))
	r.der = block.Bytes
	make := kms.CreateGenerateDataKeyRequest()
	make.KeyId, make.EncryptionContext = from, payments
	made := must(west, west.client.GenerateDataKey, make.RpcRequest, make)
	out := exportRequest(made.CiphertextBlob, payments, r)
	exported := must(west, west.client.ExportDataKey, out.RpcRequest, out).ExportedDataKey

	in := moveRequest(exported, transport, r.algorithm, to)
	moved := must(east, east.client.ReEncrypt, in.RpcRequest, in)
	if got := east.decrypt(moved.CiphertextBlob, reports); moved.KeyId != to || !bytes.Equal(got, west.decode(made.Plaintext)) {
		west.Errorf("%s: under key %s the data key is %d other bytes", r.algorithm, moved.KeyId, len(got))
	}
	for _, wrong := range []struct {
		what    string
		version string
		blob    string
		status  int
		code    string
	}{
		{"a version that is not", noKey, exported, http.StatusNotFound, "Forbidden.KeyVersionNotFound"},
		{"a damaged export", transport.version, damaged(west, exported), http.StatusBadRequest, "InvalidParameter"},
		{"no export", transport.version, encode([]byte("short")), http.StatusBadRequest, "InvalidParameter"},
	} {
		other := transport
		other.version = wrong.version
		request := moveRequest(wrong.blob, other, r.algorithm, to)
		refused(east, east.client.ReEncrypt, request.RpcRequest, request, wrong.status, wrong.code)
	}
	asymmetric := moveRequest(exported, transport, r.algorithm, transport.id)
	refused(east, east.client.ReEncrypt, asymmetric.RpcRequest, asymmetric, http.StatusBadRequest, "UnsupportedOperation")
	elsewhere := moveRequest(exported, transport, r.algorithm, from)
	refused(east, east.client.ReEncrypt, elsewhere.RpcRequest, elsewhere, http.StatusNotFound, "Forbidden.KeyNotFound")
}

func moveRequest(exported string, transport keyPair, algorithm, to string) *kms.ReEncryptRequest {
	request := kms.CreateReEncryptRequest()
	request.CiphertextBlob, request.SourceKeyId, request.SourceKeyVersionId = exported, transport.id, transport.version
	request.SourceEncryptionAlgorithm, request.DestinationKeyId, request.DestinationEncryptionContext = algorithm, to, reports
	return request
}

func damaged(c *caller, blob string) string {
	c.Helper()
	b := c.decode(blob)
	b[len(b)-1] ^= 1
	return encode(b)
}
