package classic

import (
	"encoding/base64"
	"errors"
	"strings"
	"time"

	sdkerrors "github.com/aliyun/alibaba-cloud-sdk-go/sdk/errors"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/kms"
)

// must sends a request to the next node and wants an answer. Base is the part that all requests of the SDK have.
func must[Q, A any](c *caller, send func(*Q) (*A, error), base *requests.RpcRequest, request *Q) *A {
	c.Helper()
	c.aim(base)
	answer, err := send(request)
	if err != nil {
		c.Fatalf("%s on %s: %v", base.GetActionName(), base.Domain, err)
	}
	return answer
}

// refused sends a request to the next node and wants an error of the service. The SDK reads code and message only out of
// JSON; of an XML answer it keeps the text.
func refused[Q, A any](c *caller, send func(*Q) (*A, error), base *requests.RpcRequest, request *Q, status int, code string) {
	c.Helper()
	c.aim(base)
	_, err := send(request)
	c.wantRefusal(base.GetActionName(), err, status, code)
}

func (c *caller) wantRefusal(action string, err error, status int, code string) {
	c.Helper()
	var answer *sdkerrors.ServerError
	switch {
	case !errors.As(err, &answer):
		c.Errorf("%s: error %v, want %s", action, err, code)
	case answer.HttpStatus() != status:
		c.Errorf("%s: status %d, want %d: %v", action, answer.HttpStatus(), status, err)
	case c.format == "JSON" && answer.ErrorCode() != code, c.format == "XML" && !strings.Contains(answer.Message(), "<Code>"+code+"</Code>"):
		c.Errorf("%s: %v, want %s", action, err, code)
	}
}

// aim points a request at the node whose turn it is.
func (c *caller) aim(request *requests.RpcRequest) {
	c.Helper()
	c.to(c.T, request, c.region, c.next)
	c.next = (c.next + 1) % len(c.region.Endpoints)
}

// Calls that the tests of several subjects need.

func (c *caller) createKey(set func(*kms.CreateKeyRequest)) kms.KeyMetadata {
	c.Helper()
	request := kms.CreateCreateKeyRequest()
	if set != nil {
		set(request)
	}
	return must(c, c.client.CreateKey, request.RpcRequest, request).KeyMetadata
}

func (c *caller) createKeyOf(spec, usage string) kms.KeyMetadata {
	c.Helper()
	return c.createKey(func(r *kms.CreateKeyRequest) { r.KeySpec, r.KeyUsage = spec, usage })
}

func (c *caller) describe(key string) kms.KeyMetadata {
	c.Helper()
	request := kms.CreateDescribeKeyRequest()
	request.KeyId = key
	return must(c, c.client.DescribeKey, request.RpcRequest, request).KeyMetadata
}

// createAlias names a key until the end of the test: a region has room for some hundreds of names.
func (c *caller) createAlias(name, key string) {
	c.Helper()
	request := kms.CreateCreateAliasRequest()
	request.AliasName, request.KeyId = name, key
	must(c, c.client.CreateAlias, request.RpcRequest, request)
	c.Cleanup(func() {
		remove := kms.CreateDeleteAliasRequest()
		remove.AliasName = name
		c.aim(remove.RpcRequest)
		if _, err := c.client.DeleteAlias(remove); err != nil && !strings.Contains(err.Error(), "Forbidden.AliasNotFound") {
			c.Errorf("DeleteAlias: %v", err)
		}
	})
}

func (c *caller) disable(key string) {
	c.Helper()
	request := kms.CreateDisableKeyRequest()
	request.KeyId = key
	must(c, c.client.DisableKey, request.RpcRequest, request)
}

func (c *caller) enable(key string) {
	c.Helper()
	request := kms.CreateEnableKeyRequest()
	request.KeyId = key
	must(c, c.client.EnableKey, request.RpcRequest, request)
}

func (c *caller) scheduleDeletion(key string) {
	c.Helper()
	request := deletionRequest(key, 7)
	must(c, c.client.ScheduleKeyDeletion, request.RpcRequest, request)
}

func deletionRequest(key string, days int) *kms.ScheduleKeyDeletionRequest {
	request := kms.CreateScheduleKeyDeletionRequest()
	request.KeyId, request.PendingWindowInDays = key, requests.NewInteger(days)
	return request
}

func encryptRequest(key string, text []byte, context string) *kms.EncryptRequest {
	request := kms.CreateEncryptRequest()
	request.KeyId, request.Plaintext, request.EncryptionContext = key, encode(text), context
	return request
}

func (c *caller) encrypt(key string, text []byte, context string) *kms.EncryptResponse {
	c.Helper()
	request := encryptRequest(key, text, context)
	return must(c, c.client.Encrypt, request.RpcRequest, request)
}

func decryptRequest(blob, context string) *kms.DecryptRequest {
	request := kms.CreateDecryptRequest()
	request.CiphertextBlob, request.EncryptionContext = blob, context
	return request
}

func (c *caller) decrypt(blob, context string) []byte {
	c.Helper()
	request := decryptRequest(blob, context)
	return c.decode(must(c, c.client.Decrypt, request.RpcRequest, request).Plaintext)
}

func encode(bytes []byte) string {
	return base64.StdEncoding.EncodeToString(bytes)
}

func (c *caller) decode(text string) []byte {
	c.Helper()
	bytes, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		c.Fatalf("%q is no Base64: %v", text, err)
	}
	return bytes
}

// moment reads a time of the service.
func (c *caller) moment(text string) time.Time {
	c.Helper()
	moment, err := time.Parse("2006-01-02T15:04:05Z", text)
	if err != nil {
		c.Fatalf("a time: %v", err)
	}
	return moment
}
