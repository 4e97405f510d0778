package v3

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"net/http"
	"time"

	kms "github.com/alibabacloud-go/kms-20160120/v3/client"
	"github.com/alibabacloud-go/tea/tea"
)

// imports gives a key its material from outside in each way, takes it away and gives it back.
func imports(c, _ *caller) {
	for _, wrapping := range []string{"RSAES_OAEP_SHA_256", "RSAES_OAEP_SHA_1", "RSAES_PKCS1_V1_5"} {
		made := c.createKey(&kms.CreateKeyRequest{Origin: tea.String("EXTERNAL")})
		key := tea.StringValue(made.KeyId)
		material, text := c.random(32), []byte("sealed under imported material")
		c.wantState(key, "PendingImport")
		refused(c, (*kms.Client).Encrypt, &kms.EncryptRequest{KeyId: &key, Plaintext: encode(text)}, http.StatusConflict, "Rejected.PendingImport")

		end := time.Now().Add(24 * time.Hour).Truncate(time.Second)
		request := c.importRequest(key, wrapping, material)
		request.KeyMaterialExpireUnix = tea.Int64(end.Unix())
		must(c, (*kms.Client).ImportKeyMaterial, request)
		c.wantState(key, "Enabled")
		if got := c.describe(key).MaterialExpireTime; !c.moment(got).Equal(end) {
			c.Errorf("the material expires on %s, want %v", tea.StringValue(got), end.UTC())
		}
		blob := c.encrypt(key, text, payments).CiphertextBlob
		refused(c, (*kms.Client).ImportKeyMaterial, request, http.StatusBadRequest, "InvalidImportToken")

		must(c, (*kms.Client).DeleteKeyMaterial, &kms.DeleteKeyMaterialRequest{KeyId: &key})
		c.wantState(key, "PendingImport")
		refused(c, (*kms.Client).Decrypt, &kms.DecryptRequest{CiphertextBlob: blob, EncryptionContext: payments}, http.StatusConflict, "Rejected.PendingImport")
		refused(c, (*kms.Client).ImportKeyMaterial, c.importRequest(key, wrapping, c.random(32)), http.StatusBadRequest, "InvalidKeyMaterial")
		must(c, (*kms.Client).ImportKeyMaterial, c.importRequest(key, wrapping, material))
		for range c.clients {
			if got := c.decrypt(blob, payments); !bytes.Equal(got, text) {
				c.Errorf("opens to %q", got)
			}
		}
	}
	own := c.newKey()
	refused(c, (*kms.Client).DeleteKeyMaterial, &kms.DeleteKeyMaterialRequest{KeyId: &own}, http.StatusBadRequest, "Unsupported.Origin")
}

func (c *caller) wantState(key, state string) {
	c.Helper()
	for range c.clients {
		if got := tea.StringValue(c.describe(key).KeyState); got != state {
			c.Errorf("key %s, want %s", got, state)
		}
	}
}

// importRequest gets a public key and its token, and wraps the material.
func (c *caller) importRequest(key, wrapping string, material []byte) *kms.ImportKeyMaterialRequest {
	c.Helper()
	answer := must(c, (*kms.Client).GetParametersForImport, &kms.GetParametersForImportRequest{
		KeyId: &key, WrappingAlgorithm: &wrapping, WrappingKeySpec: tea.String("RSA_2048")}).Body
	if left := time.Until(c.moment(answer.TokenExpireTime)); left < 23*time.Hour || left > 24*time.Hour {
		c.Errorf("the token is good for %v", left)
	}
	der := c.decode(answer.PublicKey)
	request := &kms.ImportKeyMaterialRequest{KeyId: &key, ImportToken: answer.ImportToken, KeyMaterialExpireUnix: tea.Int64(0)}
	if wrapping != "RSAES_PKCS1_V1_5" {
		request.EncryptedKeyMaterial = encode(encryptOAEP(c, der, wrapping, material))
		return request
	}
	public, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		c.Fatal(err)
	}
	//lint:ignore SA1019 it is one of the wrappings that the API has
	wrapped, err := rsa.EncryptPKCS1v15(rand.Reader, public.(*rsa.PublicKey), material)
	if err != nil {
		c.Fatal(err)
	}
	request.EncryptedKeyMaterial = encode(wrapped)
	return request
}

func (c *caller) random(n int) []byte {
	c.Helper()
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		c.Fatal(err)
	}
	return b
}
