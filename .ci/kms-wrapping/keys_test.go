package wrapping

import (
	"testing"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/kms"
)

// administrator makes and changes the keys that seals use, at one node.
type administrator struct {
	t      *testing.T
	client *kms.Client
}

func newAdministrator(t *testing.T, r region, node int) administrator {
	t.Helper()
	config := sdk.NewConfig().WithScheme("https")
	client, err := kms.NewClientWithOptions(r.ID, config, credentials.NewAccessKeyCredential(r.AccessKeyID, r.AccessKeySecret))
	if err != nil {
		t.Fatal(err)
	}
	client.Domain = r.domain(t, node)
	return administrator{t, client}
}

func (a administrator) createKey(description string) string {
	a.t.Helper()
	request := kms.CreateCreateKeyRequest()
	request.Description = description
	answer, err := a.client.CreateKey(request)
	a.ok("CreateKey", err)
	return answer.KeyMetadata.KeyId
}

func (a administrator) createAlias(name, key string) {
	a.t.Helper()
	request := kms.CreateCreateAliasRequest()
	request.AliasName, request.KeyId = name, key
	_, err := a.client.CreateAlias(request)
	a.ok("CreateAlias", err)
	a.t.Cleanup(func() {
		remove := kms.CreateDeleteAliasRequest()
		remove.AliasName = name
		_, err := a.client.DeleteAlias(remove)
		a.ok("DeleteAlias", err)
	})
}

func (a administrator) updateAlias(name, key string) {
	a.t.Helper()
	request := kms.CreateUpdateAliasRequest()
	request.AliasName, request.KeyId = name, key
	_, err := a.client.UpdateAlias(request)
	a.ok("UpdateAlias", err)
}

func (a administrator) disable(key string) {
	a.t.Helper()
	request := kms.CreateDisableKeyRequest()
	request.KeyId = key
	_, err := a.client.DisableKey(request)
	a.ok("DisableKey", err)
}

func (a administrator) enable(key string) {
	a.t.Helper()
	request := kms.CreateEnableKeyRequest()
	request.KeyId = key
	_, err := a.client.EnableKey(request)
	a.ok("EnableKey", err)
}

func (a administrator) scheduleDeletion(key string) {
	a.t.Helper()
	request := kms.CreateScheduleKeyDeletionRequest()
	request.KeyId, request.PendingWindowInDays = key, requests.NewInteger(7)
	_, err := a.client.ScheduleKeyDeletion(request)
	a.ok("ScheduleKeyDeletion", err)
}

func (a administrator) cancelDeletion(key string) {
	a.t.Helper()
	request := kms.CreateCancelKeyDeletionRequest()
	request.KeyId = key
	_, err := a.client.CancelKeyDeletion(request)
	a.ok("CancelKeyDeletion", err)
}

func (a administrator) ok(action string, err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatalf("%s: %v", action, err)
	}
}
