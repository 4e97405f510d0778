package classic

import (
	"encoding/json"
	"net/http"
	"reflect"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/kms"
)

// keyPolicy is a document that leaves the account every right, as the public service makes it for a new key.
func keyPolicy(c *caller, sid string) string {
	c.Helper()
	return c.json(map[string]any{
		"Version": "1",
		"Statement": []any{map[string]any{
			"Sid":    sid,
			"Effect": "Allow",
			"Principal": map[string]any{
				"RAM": []string{"acs:ram::" + c.region.Account + ":*"},
			},
			"Action":   []string{"kms:*"},
			"Resource": []string{"*"},
		}},
	})
}

// policies reads and replaces the policy of a key.
func policies(c, _ *caller) {
	key := c.createKey(nil).KeyId
	before := c.policy(key)
	if !json.Valid([]byte(before)) || before == "{}" {
		c.Errorf("the policy of a new key is %q", before)
	}
	for _, sid := range []string{"first", "second & third", ""} {
		want := keyPolicy(c, sid)
		request := kms.CreateSetKeyPolicyRequest()
		request.KeyId, request.Policy, request.PolicyName = key, want, "default"
		must(c, c.client.SetKeyPolicy, request.RpcRequest, request)
		for range c.region.Endpoints {
			if got := c.policy(key); !sameJSON(got, want) {
				c.Errorf("policy %s, want %s", got, want)
			}
		}
	}
	own := keyPolicy(c, "from the start")
	made := c.createKey(func(r *kms.CreateKeyRequest) { r.Policy = own })
	if got := c.policy(made.Arn); !sameJSON(got, own) {
		c.Errorf("policy %s, want %s", got, own)
	}
	c.encrypt(key, []byte("the account still may"), "")
	for _, malformed := range []string{"{}", "[]", "not JSON", `{"Version":"1","Statement":[{"Effect":"Perhaps"}]}`} {
		request := kms.CreateSetKeyPolicyRequest()
		request.KeyId, request.Policy = key, malformed
		refused(c, c.client.SetKeyPolicy, request.RpcRequest, request, http.StatusBadRequest, "MalformedPolicyDocument")
	}
	other := kms.CreateGetKeyPolicyRequest()
	other.KeyId, other.PolicyName = key, "another"
	refused(c, c.client.GetKeyPolicy, other.RpcRequest, other, http.StatusNotFound, "Forbidden.ResourceNotFound")
	c.scheduleDeletion(key)
	late := kms.CreateSetKeyPolicyRequest()
	late.KeyId, late.Policy = key, own
	refused(c, c.client.SetKeyPolicy, late.RpcRequest, late, http.StatusConflict, "Rejected.PendingDeletion")
}

func (c *caller) policy(key string) string {
	c.Helper()
	request := kms.CreateGetKeyPolicyRequest()
	request.KeyId = key
	return must(c, c.client.GetKeyPolicy, request.RpcRequest, request).Policy
}

func sameJSON(a, b string) bool {
	var left, right any
	return json.Unmarshal([]byte(a), &left) == nil && json.Unmarshal([]byte(b), &right) == nil && reflect.DeepEqual(left, right)
}
