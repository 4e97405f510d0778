package classic

import (
	"net/http"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/kms"
)

// protection keeps a key from being deleted. The SDK names the key by ARN alone; untyped sends the KeyId that Terraform sends.
func protection(c, _ *caller) {
	key := c.createKey(nil)
	for range c.region.Endpoints {
		on := protectionRequest(key.Arn, true, "keeps the books")
		must(c, c.client.SetDeletionProtection, on.RpcRequest, on)
		if got := c.describe(key.KeyId); got.DeletionProtection != "Enabled" || got.DeletionProtectionDescription != "keeps the books" {
			c.Errorf("deletion protection %s, %q", got.DeletionProtection, got.DeletionProtectionDescription)
		}
		deletion := deletionRequest(key.KeyId, 7)
		refused(c, c.client.ScheduleKeyDeletion, deletion.RpcRequest, deletion, http.StatusConflict, "Rejected.DeletionProtection")
		if got := c.describe(key.KeyId); got.KeyState != "Enabled" {
			c.Errorf("a protected key is %s", got.KeyState)
		}
		off := protectionRequest(key.Arn, false, "")
		must(c, c.client.SetDeletionProtection, off.RpcRequest, off)
		if got := c.describe(key.KeyId); got.DeletionProtection != "Disabled" || got.DeletionProtectionDescription != "" {
			c.Errorf("deletion protection %s, %q", got.DeletionProtection, got.DeletionProtectionDescription)
		}
	}
	c.scheduleDeletion(key.KeyId)
	late := protectionRequest(key.Arn, true, "")
	refused(c, c.client.SetDeletionProtection, late.RpcRequest, late, http.StatusConflict, "Rejected.StateModifiedFailed")
}

func protectionRequest(arn string, enable bool, why string) *kms.SetDeletionProtectionRequest {
	request := kms.CreateSetDeletionProtectionRequest()
	request.ProtectedResourceArn, request.DeletionProtectionDescription = arn, why
	request.EnableDeletionProtection = requests.NewBoolean(enable)
	return request
}
