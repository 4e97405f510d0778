package v3

import (
	"bytes"
	"net/http"

	kms "github.com/alibabacloud-go/kms-20160120/v3/client"
	"github.com/alibabacloud-go/tea/tea"
)

// data encrypts and makes data keys on each node, and opens on each what another made. Recipient, which the service
// refuses, is not in the SDK; ways sends it.
func data(c, _ *caller) {
	key, other := c.newKey(), c.newKey()
	text := []byte("what the application stores")
	for range c.clients {
		sealed := c.encrypt(key, text, payments)
		for range c.clients {
			if got := c.decrypt(sealed.CiphertextBlob, payments); !bytes.Equal(got, text) {
				c.Errorf("opens to %q, want %q", got, text)
			}
		}
		moved := must(c, (*kms.Client).ReEncrypt, &kms.ReEncryptRequest{
			CiphertextBlob: sealed.CiphertextBlob, SourceEncryptionContext: payments, DestinationKeyId: &other}).Body
		if got := c.decrypt(moved.CiphertextBlob, nil); tea.StringValue(moved.KeyId) != other || !bytes.Equal(got, text) {
			c.Errorf("under key %s it opens to %q", tea.StringValue(moved.KeyId), got)
		}
		for _, size := range []int32{1, 32, 1024} {
			made := must(c, (*kms.Client).GenerateDataKey, &kms.GenerateDataKeyRequest{KeyId: &key, NumberOfBytes: &size, EncryptionContext: reports}).Body
			plaintext := c.decode(made.Plaintext)
			if got := c.decrypt(made.CiphertextBlob, reports); len(plaintext) != int(size) || !bytes.Equal(got, plaintext) {
				c.Errorf("a data key of %d bytes opens to another of %d", len(plaintext), len(got))
			}
			blind := must(c, (*kms.Client).GenerateDataKeyWithoutPlaintext, &kms.GenerateDataKeyWithoutPlaintextRequest{KeyId: &key, NumberOfBytes: &size}).Body
			if got := c.decrypt(blind.CiphertextBlob, nil); len(got) != int(size) {
				c.Errorf("a data key of %d bytes, want %d", len(got), size)
			}
		}
		short := must(c, (*kms.Client).GenerateDataKey, &kms.GenerateDataKeyRequest{KeyId: &key, KeySpec: tea.String("AES_128")}).Body
		if got := c.decode(short.Plaintext); len(got) != 16 {
			c.Errorf("AES_128 is %d bytes", len(got))
		}
		refused(c, (*kms.Client).GenerateDataKey, &kms.GenerateDataKeyRequest{KeyId: &key, NumberOfBytes: tea.Int32(1025)}, http.StatusBadRequest, "InvalidParameter")
	}
}
