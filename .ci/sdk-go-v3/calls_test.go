package v3

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	kms "github.com/alibabacloud-go/kms-20160120/v3/client"
	"github.com/alibabacloud-go/tea/tea"
)

// must sends a request to the next node and wants an answer.
func must[Q, A any](c *caller, send func(*kms.Client, *Q) (*A, error), request *Q) *A {
	c.Helper()
	answer, err := send(c.node(), request)
	if err != nil {
		c.Fatalf("%T: %v", request, err)
	}
	return answer
}

// refused sends a request to the next node and wants an error of the service.
func refused[Q, A any](c *caller, send func(*kms.Client, *Q) (*A, error), request *Q, status int, code string) {
	c.Helper()
	_, err := send(c.node(), request)
	c.wantRefusal(request, err, status, code)
}

func (c *caller) wantRefusal(request any, err error, status int, code string) {
	c.Helper()
	var answer *tea.SDKError
	switch {
	case !errors.As(err, &answer):
		c.Errorf("%T: error %v, want %s", request, err, code)
	case tea.StringValue(answer.Code) != code || tea.IntValue(answer.StatusCode) != status:
		c.Errorf("%T: code %s, status %d, want %s, %d: %v", request, tea.StringValue(answer.Code), tea.IntValue(answer.StatusCode), code, status, err)
	}
}

// node is the client for the node whose turn it is.
func (c *caller) node() *kms.Client {
	client := c.clients[c.next]
	c.next = (c.next + 1) % len(c.clients)
	return client
}

// Calls that the tests of several subjects need.

func (c *caller) createKey(request *kms.CreateKeyRequest) *kms.CreateKeyResponseBodyKeyMetadata {
	c.Helper()
	return must(c, (*kms.Client).CreateKey, request).Body.KeyMetadata
}

// newKey makes a symmetric key and returns its id.
func (c *caller) newKey() string {
	c.Helper()
	return tea.StringValue(c.createKey(&kms.CreateKeyRequest{}).KeyId)
}

func (c *caller) describe(key string) *kms.DescribeKeyResponseBodyKeyMetadata {
	c.Helper()
	return must(c, (*kms.Client).DescribeKey, &kms.DescribeKeyRequest{KeyId: &key}).Body.KeyMetadata
}

// createAlias names a key until the end of the test: a region has room for some hundreds of names.
func (c *caller) createAlias(name, key string) {
	c.Helper()
	must(c, (*kms.Client).CreateAlias, &kms.CreateAliasRequest{AliasName: &name, KeyId: &key})
	c.Cleanup(func() {
		_, err := c.node().DeleteAlias(&kms.DeleteAliasRequest{AliasName: &name})
		if err != nil && !strings.Contains(err.Error(), "Forbidden.AliasNotFound") {
			c.Errorf("DeleteAlias: %v", err)
		}
	})
}

func (c *caller) encrypt(key string, text []byte, context map[string]any) *kms.EncryptResponseBody {
	c.Helper()
	return must(c, (*kms.Client).Encrypt, &kms.EncryptRequest{KeyId: &key, Plaintext: encode(text), EncryptionContext: context}).Body
}

func (c *caller) decrypt(blob *string, context map[string]any) []byte {
	c.Helper()
	return c.decode(must(c, (*kms.Client).Decrypt, &kms.DecryptRequest{CiphertextBlob: blob, EncryptionContext: context}).Body.Plaintext)
}

func encode(bytes []byte) *string {
	return tea.String(base64.StdEncoding.EncodeToString(bytes))
}

func (c *caller) decode(text *string) []byte {
	c.Helper()
	bytes, err := base64.StdEncoding.DecodeString(tea.StringValue(text))
	if err != nil {
		c.Fatalf("%q is no Base64: %v", tea.StringValue(text), err)
	}
	return bytes
}

func (c *caller) json(value any) *string {
	c.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		c.Fatal(err)
	}
	return tea.String(string(text))
}

// moment reads a time of the service.
func (c *caller) moment(text *string) time.Time {
	c.Helper()
	moment, err := time.Parse("2006-01-02T15:04:05Z", tea.StringValue(text))
	if err != nil {
		c.Fatalf("a time: %v", err)
	}
	return moment
}
