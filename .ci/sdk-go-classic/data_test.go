package classic

import (
	"bytes"
	"net/http"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/kms"
)

// data encrypts and makes data keys on each node, and opens on each what another made. Recipient, which the service
// refuses, is not in the SDK; untyped sends it.
func data(c, _ *caller) {
	key, other := c.createKey(nil), c.createKey(nil)
	alias := "alias/classic-" + randomHex(8)
	c.createAlias(alias, key.KeyId)
	for _, name := range []string{alias, key.KeyId, key.Arn} {
		text := []byte("the text under " + name)
		sealed := c.encrypt(name, text, payments)
		if sealed.KeyId != key.KeyId || sealed.KeyVersionId != key.PrimaryKeyVersion {
			c.Errorf("Encrypt answers %+v", sealed)
		}
		for range c.region.Endpoints {
			if got := c.decrypt(sealed.CiphertextBlob, payments); !bytes.Equal(got, text) {
				c.Errorf("opens to %q, want %q", got, text)
			}
		}
	}
	for _, size := range []int{1, 16, 1024} {
		dataKeys(c, alias, size)
	}
	for _, size := range []int{0, 1025} {
		request := kms.CreateGenerateDataKeyRequest()
		request.KeyId, request.NumberOfBytes = alias, requests.NewInteger(size)
		refused(c, c.client.GenerateDataKey, request.RpcRequest, request, http.StatusBadRequest, "InvalidParameter")
	}
	short := kms.CreateGenerateDataKeyRequest()
	short.KeyId, short.KeySpec = alias, "AES_128"
	if got := c.decode(must(c, c.client.GenerateDataKey, short.RpcRequest, short).Plaintext); len(got) != 16 {
		c.Errorf("AES_128 is %d bytes", len(got))
	}
	reEncrypts(c, key.KeyId, other.KeyId)
}

func dataKeys(c *caller, key string, size int) {
	c.Helper()
	open := kms.CreateGenerateDataKeyRequest()
	open.KeyId, open.NumberOfBytes, open.EncryptionContext = key, requests.NewInteger(size), reports
	made := must(c, c.client.GenerateDataKey, open.RpcRequest, open)
	plaintext := c.decode(made.Plaintext)
	if got := c.decrypt(made.CiphertextBlob, reports); len(plaintext) != size || !bytes.Equal(got, plaintext) {
		c.Errorf("a data key of %d bytes opens to another of %d", len(plaintext), len(got))
	}
	blind := kms.CreateGenerateDataKeyWithoutPlaintextRequest()
	blind.KeyId, blind.NumberOfBytes, blind.EncryptionContext = key, requests.NewInteger(size), reports
	sealed := must(c, c.client.GenerateDataKeyWithoutPlaintext, blind.RpcRequest, blind)
	if got := c.decrypt(sealed.CiphertextBlob, reports); len(got) != size {
		c.Errorf("a data key of %d bytes, want %d", len(got), size)
	}
}

// reEncrypts passes a blob from key to key and context to context, on each node.
func reEncrypts(c *caller, first, second string) {
	c.Helper()
	text := []byte("what goes round")
	blob := c.encrypt(first, text, "").CiphertextBlob
	from := ""
	for _, step := range []struct{ key, context string }{{second, payments}, {first, reports}, {second, ""}} {
		request := kms.CreateReEncryptRequest()
		request.CiphertextBlob, request.SourceEncryptionContext = blob, from
		request.DestinationKeyId, request.DestinationEncryptionContext = step.key, step.context
		answer := must(c, c.client.ReEncrypt, request.RpcRequest, request)
		if answer.KeyId != step.key {
			c.Errorf("under key %s, want %s", answer.KeyId, step.key)
		}
		if got := c.decrypt(answer.CiphertextBlob, step.context); !bytes.Equal(got, text) {
			c.Errorf("opens to %q, want %q", got, text)
		}
		blob, from = answer.CiphertextBlob, step.context
	}
	wrong := kms.CreateReEncryptRequest()
	wrong.CiphertextBlob, wrong.DestinationKeyId, wrong.SourceEncryptionContext = blob, first, payments
	refused(c, c.client.ReEncrypt, wrong.RpcRequest, wrong, http.StatusBadRequest, "InvalidParameter")
}
