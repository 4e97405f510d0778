package classic

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/kms"
)

const noKey = "00000000-0000-4000-8000-000000000000"

// keys makes keys, describes and lists them. Of the parameters in the contract the SDK has no KeyStorageMechanism.
func keys(c, _ *caller) {
	made := c.createKey(func(r *kms.CreateKeyRequest) { r.Description = "first & <second>" })
	if made.KeySpec != "Aliyun_AES_256" || made.KeyUsage != "ENCRYPT/DECRYPT" || made.Origin != "Aliyun_KMS" ||
		made.ProtectionLevel != "SOFTWARE" || made.Creator != c.region.Account || made.PrimaryKeyVersion == "" {
		c.Errorf("CreateKey answers %+v", made)
	}
	for _, name := range []string{made.KeyId, made.Arn, made.KeyId} {
		if got := c.describe(name); got != made {
			c.Errorf("%s is described as %+v, want %+v", name, got, made)
		}
	}
	for _, text := range []string{"second", "third"} {
		request := kms.CreateUpdateKeyDescriptionRequest()
		request.KeyId, request.Description = made.KeyId, text
		must(c, c.client.UpdateKeyDescription, request.RpcRequest, request)
		if got := c.describe(made.KeyId).Description; got != text {
			c.Errorf("description %q, want %q", got, text)
		}
	}
	// The SDK leaves empty texts out, so it cannot clear a description.
	clear := kms.CreateUpdateKeyDescriptionRequest()
	clear.KeyId = made.KeyId
	refused(c, c.client.UpdateKeyDescription, clear.RpcRequest, clear, http.StatusBadRequest, "MissingParameter")
	listKeys(c, made.KeyId)
	hsm := kms.CreateCreateKeyRequest()
	hsm.ProtectionLevel = "HSM"
	refused(c, c.client.CreateKey, hsm.RpcRequest, hsm, http.StatusBadRequest, "Unsupported.ProtectionLevel")
}

// listKeys pages through all keys, and through those that a filter leaves.
func listKeys(c *caller, key string) {
	c.Helper()
	disabled := c.createKey(nil).KeyId
	c.disable(disabled)
	if all := allKeys(c, ""); !slices.Contains(all, key) || !slices.Contains(all, disabled) {
		c.Errorf("the list of %d keys lacks one of two", len(all))
	}
	filter, err := json.Marshal([]map[string]any{{"Key": "KeyState", "Values": []string{"Disabled"}}})
	if err != nil {
		c.Fatal(err)
	}
	if some := allKeys(c, string(filter)); slices.Contains(some, key) || !slices.Contains(some, disabled) {
		c.Errorf("the list of %d disabled keys is another", len(some))
	}
	for _, size := range []int{0, 101} {
		request := kms.CreateListKeysRequest()
		request.PageSize = requests.NewInteger(size)
		refused(c, c.client.ListKeys, request.RpcRequest, request, http.StatusBadRequest, "InvalidParameter")
	}
}

// allKeys turns the pages of a list and insists that no key is missing or comes twice.
func allKeys(c *caller, filters string) (ids []string) {
	c.Helper()
	for page := 1; ; page++ {
		request := kms.CreateListKeysRequest()
		request.Filters, request.PageNumber, request.PageSize = filters, requests.NewInteger(page), requests.NewInteger(100)
		answer := must(c, c.client.ListKeys, request.RpcRequest, request)
		for _, key := range answer.Keys.Key {
			ids = append(ids, key.KeyId)
		}
		if len(answer.Keys.Key) > 0 && len(ids) < answer.TotalCount {
			continue
		}
		if slices.Sort(ids); len(slices.Compact(ids)) != answer.TotalCount {
			c.Errorf("%d keys on %d pages, want %d", len(ids), page, answer.TotalCount)
		}
		return ids
	}
}

// states turns a key off and on and plans its deletion; each node knows it at once.
func states(c, _ *caller) {
	key := c.createKey(nil).KeyId
	sealed := c.encrypt(key, []byte("text"), "").CiphertextBlob
	wantState := func(state, code string) {
		c.Helper()
		for range c.region.Endpoints {
			if got := c.describe(key).KeyState; got != state {
				c.Errorf("key %s, want %s", got, state)
			}
			request := decryptRequest(sealed, "")
			if code == "" {
				must(c, c.client.Decrypt, request.RpcRequest, request)
			} else {
				refused(c, c.client.Decrypt, request.RpcRequest, request, http.StatusConflict, code)
			}
		}
	}
	c.disable(key)
	c.disable(key)
	wantState("Disabled", "Rejected.Disabled")
	c.enable(key)
	c.enable(key)
	wantState("Enabled", "")
	for _, days := range []int{6, 367} {
		request := deletionRequest(key, days)
		refused(c, c.client.ScheduleKeyDeletion, request.RpcRequest, request, http.StatusBadRequest, "InvalidParameter")
	}
	request := deletionRequest(key, 366)
	must(c, c.client.ScheduleKeyDeletion, request.RpcRequest, request)
	wantState("PendingDeletion", "Rejected.PendingDeletion")
	if left := time.Until(c.moment(c.describe(key).DeleteDate)); left < 365*24*time.Hour || left > 366*24*time.Hour {
		c.Errorf("deleted in %v", left)
	}
	again := deletionRequest(key, 7)
	refused(c, c.client.ScheduleKeyDeletion, again.RpcRequest, again, http.StatusConflict, "Rejected.StateModifiedFailed")
	disable := kms.CreateDisableKeyRequest()
	disable.KeyId = key
	refused(c, c.client.DisableKey, disable.RpcRequest, disable, http.StatusConflict, "Rejected.StateModifiedFailed")
	cancel := kms.CreateCancelKeyDeletionRequest()
	cancel.KeyId = key
	must(c, c.client.CancelKeyDeletion, cancel.RpcRequest, cancel)
	wantState("Enabled", "")
	refused(c, c.client.CancelKeyDeletion, cancel.RpcRequest, cancel, http.StatusConflict, "Rejected.StateModifiedFailed")
	c.scheduleDeletion(key)
}
