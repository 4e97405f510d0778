package classic

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"net/http"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
)

// untyped sends requests as Terraform and the command line do, which know actions and parameters by name alone: what the
// typed part of the SDK has no field for, and parameters in a form as well as in the query.
func untyped(c, _ *caller) {
	key := c.createKey(nil)
	text := []byte("text")
	request := map[string]string{"KeyId": key.KeyId, "Plaintext": encode(text), "EncryptionContext": payments}
	for _, place := range []string{"query", "form", "both"} {
		if place != "query" && c.method == http.MethodGet {
			continue
		}
		var answer struct{ CiphertextBlob string }
		c.ask("Encrypt", place, request, &answer)
		if got := c.decrypt(answer.CiphertextBlob, payments); !bytes.Equal(got, text) {
			c.Errorf("parameters in the %s: opens to %q", place, got)
		}
	}
	// SetDeletionProtection by KeyId, which the SDK has not.
	for range c.region.Endpoints {
		c.ask("SetDeletionProtection", "query", map[string]string{"KeyId": key.KeyId, "EnableDeletionProtection": "true"}, nil)
		if got := c.describe(key.KeyId).DeletionProtection; got != "Enabled" {
			c.Errorf("deletion protection %s", got)
		}
		c.ask("SetDeletionProtection", "query", map[string]string{
			"KeyId": key.KeyId, "ProtectedResourceArn": key.Arn, "EnableDeletionProtection": "False"}, nil)
		if got := c.describe(key.KeyId).DeletionProtection; got != "Disabled" {
			c.Errorf("deletion protection %s", got)
		}
	}
	blob := c.encrypt(key.KeyId, text, "").CiphertextBlob
	refusals := []struct {
		action     string
		parameters map[string]string
		status     int
		code       string
	}{
		{"Decrypt", map[string]string{"CiphertextBlob": blob, "Recipient": `{"KeyEncryptionAlgorithm":"RSAES_OAEP_SHA_256"}`}, 400, "UnsupportedOperation"},
		{"GenerateDataKey", map[string]string{"KeyId": key.KeyId, "Recipient": "{}"}, 400, "UnsupportedOperation"},
		{"SetDeletionProtection", map[string]string{"EnableDeletionProtection": "true"}, 400, "MissingParameter"},
		{"SetDeletionProtection", map[string]string{"KeyId": noKey, "ProtectedResourceArn": key.Arn, "EnableDeletionProtection": "true"}, 400, "InvalidParameter"},
		{"TagResource", map[string]string{"KeyId": key.KeyId, "CertificateId": noKey, "Tags": "[]"}, 400, "InvalidParameter"},
		{"TagResources", map[string]string{"ResourceType": "key", "ResourceId.1": key.KeyId, "Tag.2.Key": "a gap"}, 400, "InvalidParameter"},
		{"ConnectKmsInstance", nil, 404, "InvalidAction.NotFound"},
	}
	for _, r := range refusals {
		_, err := c.client.ProcessCommonRequest(c.common(r.action, "query", r.parameters))
		c.wantRefusal(r.action, err, r.status, r.code)
	}
	// An empty value, which the typed part leaves out.
	c.ask("TagResources", "query", map[string]string{"ResourceType": "key", "ResourceId.1": key.KeyId, "Tag.1.Key": "empty", "Tag.1.Value": ""}, nil)
	c.wantTags(key.KeyId, tags{"empty": ""})
	c.ask("UpdateKeyDescription", "query", map[string]string{"KeyId": key.KeyId, "Description": ""}, nil)
}

// ask sends a request to the next node and reads the answer.
func (c *caller) ask(action, place string, parameters map[string]string, answer any) {
	c.Helper()
	response, err := c.client.ProcessCommonRequest(c.common(action, place, parameters))
	if err != nil {
		c.Fatalf("%s: %v", action, err)
	}
	if answer == nil {
		return
	}
	if c.format == "XML" {
		err = xml.Unmarshal(response.GetHttpContentBytes(), answer)
	} else {
		err = json.Unmarshal(response.GetHttpContentBytes(), answer)
	}
	if err != nil {
		c.Fatalf("%s answers %s: %v", action, response.GetHttpContentString(), err)
	}
}

// common makes a request for the next node, with its parameters in the query, in the form, or in turns in both.
func (c *caller) common(action, place string, parameters map[string]string) *requests.CommonRequest {
	c.Helper()
	request := requests.NewCommonRequest()
	request.Product, request.Version, request.ApiName = "Kms", "2016-01-20", action
	endpoints := c.region.HTTPEndpoints
	if c.scheme == "https" {
		endpoints = c.region.Endpoints
	}
	request.Scheme, request.Method, request.AcceptFormat = c.scheme, c.method, c.format
	request.Domain = endpoints[c.next][len(c.scheme+"://"):]
	c.next = (c.next + 1) % len(endpoints)
	inForm := place == "form"
	for name, value := range parameters {
		if inForm {
			request.FormParams[name] = value
		} else {
			request.QueryParams[name] = value
		}
		inForm = inForm != (place == "both")
	}
	return request
}
