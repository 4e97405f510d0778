package classic

import (
	"net/http"
	"strings"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/kms"
)

// limits reaches what the contract bounds, and goes one further. Lengths of texts are in characters, that of a policy in bytes.
func limits(c, _ *caller) {
	key := c.createKey(nil).KeyId
	for _, text := range []struct {
		length int
		code   string
	}{{8192, ""}, {8193, "InvalidParameter"}} {
		request := kms.CreateUpdateKeyDescriptionRequest()
		request.KeyId, request.Description = key, strings.Repeat("a", text.length-1)+"é"
		if text.code == "" {
			must(c, c.client.UpdateKeyDescription, request.RpcRequest, request)
		} else {
			refused(c, c.client.UpdateKeyDescription, request.RpcRequest, request, http.StatusBadRequest, text.code)
		}
	}
	long, over := strings.Repeat("é", 128), strings.Repeat("é", 129)
	for _, wrong := range []tags{{over: "v"}, {"k": over}} {
		request := kms.CreateTagResourceRequest()
		request.KeyId, request.Tags = key, wrong.text(c)
		refused(c, c.client.TagResource, request.RpcRequest, request, http.StatusBadRequest, "InvalidParameter")
	}
	fits := kms.CreateTagResourceRequest()
	fits.KeyId, fits.Tags = key, tags{long: long}.text(c)
	must(c, c.client.TagResource, fits.RpcRequest, fits)
	c.wantTags(key, tags{long: long})
	if c.method == http.MethodPost {
		longPolicy(c, key)
	} else if c.format == "JSON" {
		manyVersions(c) // takes a while, and is the same in every variant
	}
}

// longPolicy sends a policy that is too long for a request line with everything in it; forms take it.
func longPolicy(c *caller, key string) {
	c.Helper()
	const most = 32768
	policy := keyPolicy(c, "long")
	policy += strings.Repeat(" ", most-len(policy))
	c.ask("SetKeyPolicy", "form", map[string]string{"KeyId": key, "Policy": policy}, nil)
	_, err := c.client.ProcessCommonRequest(c.common("SetKeyPolicy", "form", map[string]string{"KeyId": key, "Policy": policy + " "}))
	c.wantRefusal("SetKeyPolicy", err, http.StatusBadRequest, "InvalidParameter")
}

// manyVersions gives a key as many versions as one may have.
func manyVersions(c *caller) {
	c.Helper()
	const most = 50
	key := c.createKey(nil).KeyId
	first := c.encrypt(key, []byte("text"), "").CiphertextBlob
	for range most - 1 {
		c.createVersion(key)
	}
	request := kms.CreateCreateKeyVersionRequest()
	request.KeyId = key
	refused(c, c.client.CreateKeyVersion, request.RpcRequest, request, http.StatusBadRequest, "Rejected.LimitExceeded")
	if versions := c.listVersions(key); len(versions) != most {
		c.Errorf("%d versions, want %d", len(versions), most)
	}
	c.decrypt(first, "")
}
