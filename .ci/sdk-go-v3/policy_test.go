package v3

import (
	"encoding/json"
	"net/http"
	"reflect"

	kms "github.com/alibabacloud-go/kms-20160120/v3/client"
	"github.com/alibabacloud-go/tea/tea"
)

// keyPolicy is a document that leaves the account every right, as the public service makes it for a new key.
func keyPolicy(c *caller, sid string) *string {
	c.Helper()
	return c.json(map[string]any{
		"Version": "1",
		"Statement": []any{map[string]any{
			"Sid":       sid,
			"Effect":    "Allow",
			"Principal": map[string]any{"RAM": []string{"acs:ram::" + c.region.Account + ":*"}},
			"Action":    []string{"kms:*"},
			"Resource":  []string{"*"},
		}},
	})
}

// policies reads and replaces the policy of a key on each node.
func policies(c, _ *caller) {
	key := tea.String(c.newKey())
	c.wantPolicy(key, "")
	for range c.clients {
		policy := keyPolicy(c, randomHex(8))
		must(c, (*kms.Client).SetKeyPolicy, &kms.SetKeyPolicyRequest{KeyId: key, PolicyName: tea.String("default"), Policy: policy})
		c.wantPolicy(key, *policy)
	}
	own := keyPolicy(c, "from the start")
	c.wantPolicy(c.createKey(&kms.CreateKeyRequest{Policy: own}).Arn, *own)
	refused(c, (*kms.Client).SetKeyPolicy, &kms.SetKeyPolicyRequest{KeyId: key, Policy: tea.String("{}")}, http.StatusBadRequest, "MalformedPolicyDocument")
	refused(c, (*kms.Client).GetKeyPolicy, &kms.GetKeyPolicyRequest{KeyId: key, PolicyName: tea.String("another")}, http.StatusNotFound, "Forbidden.ResourceNotFound")
}

// wantPolicy insists that each node has this policy, or any at all.
func (c *caller) wantPolicy(key *string, want string) {
	c.Helper()
	for range c.clients {
		text := tea.StringValue(must(c, (*kms.Client).GetKeyPolicy, &kms.GetKeyPolicyRequest{KeyId: key}).Body.Policy)
		var got, wanted map[string]any
		if err := json.Unmarshal([]byte(text), &got); err != nil || len(got) == 0 {
			c.Errorf("policy %q: %v", text, err)
		}
		if want == "" {
			continue
		}
		if err := json.Unmarshal([]byte(want), &wanted); err != nil || !reflect.DeepEqual(got, wanted) {
			c.Errorf("policy %s, want %s (%v)", text, want, err)
		}
	}
}
