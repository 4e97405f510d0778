package v3

import (
	"net/http"
	"slices"
	"time"

	kms "github.com/alibabacloud-go/kms-20160120/v3/client"
	"github.com/alibabacloud-go/tea/tea"
)

const noKey = "00000000-0000-4000-8000-000000000000"

// keys makes a key, describes it, lists it, turns it off and on, and plans its deletion. Of the parameters in the contract
// the SDK has no KeyStorageMechanism.
func keys(c, _ *caller) {
	made := c.createKey(&kms.CreateKeyRequest{Description: tea.String("first & <second>")})
	key := tea.StringValue(made.KeyId)
	for _, name := range []string{key, tea.StringValue(made.Arn), key} {
		got := c.describe(name)
		if tea.StringValue(got.DeletionProtection) != "Disabled" {
			c.Errorf("deletion protection %v", got)
		}
		got.DeletionProtection = nil // what CreateKey says of it is not in the SDK
		if got.String() != made.String() {
			c.Errorf("%s is described as %v, want %v", name, got, made)
		}
	}
	for _, text := range []string{"second", "", "third"} {
		must(c, (*kms.Client).UpdateKeyDescription, &kms.UpdateKeyDescriptionRequest{KeyId: &key, Description: &text})
		if got := tea.StringValue(c.describe(key).Description); got != text {
			c.Errorf("description %q, want %q", got, text)
		}
	}
	c.lists(key)
	c.switches(key)
	refused(c, (*kms.Client).CreateKey, &kms.CreateKeyRequest{ProtectionLevel: tea.String("HSM")}, http.StatusBadRequest, "Unsupported.ProtectionLevel")
	refused(c, (*kms.Client).CreateKey, &kms.CreateKeyRequest{DKMSInstanceId: tea.String("kst-1")}, http.StatusBadRequest, "InvalidParameter")
}

// lists finds a key in the list, page by page, and not under a filter that it does not fit.
func (c *caller) lists(key string) {
	c.Helper()
	for _, list := range []struct {
		filters *string
		has     bool
	}{
		{nil, true},
		{c.json([]map[string]any{{"Key": "KeySpec", "Values": []string{"Aliyun_AES_256", "RSA_2048"}}, {"Key": "KeyState", "Values": []string{"Enabled"}}}), true},
		{c.json([]map[string]any{{"Key": "KeyState", "Values": []string{"Disabled", "PendingDeletion"}}}), false},
	} {
		found, seen := false, 0
		for page := int32(1); ; page++ {
			request := &kms.ListKeysRequest{Filters: list.filters, PageNumber: &page, PageSize: tea.Int32(100)}
			answer := must(c, (*kms.Client).ListKeys, request).Body
			for _, k := range answer.Keys.Key {
				found = found || tea.StringValue(k.KeyId) == key
			}
			seen += len(answer.Keys.Key)
			if len(answer.Keys.Key) == 0 || seen >= int(tea.Int32Value(answer.TotalCount)) {
				break
			}
		}
		if found != list.has {
			c.Errorf("with the filters %s the key is listed: %v", tea.StringValue(list.filters), found)
		}
	}
}

func (c *caller) switches(key string) {
	c.Helper()
	blob := c.encrypt(key, []byte("text"), nil).CiphertextBlob
	wantState := func(state, code string) {
		c.Helper()
		for range c.clients {
			if got := tea.StringValue(c.describe(key).KeyState); got != state {
				c.Errorf("key %s, want %s", got, state)
			}
			if code == "" {
				c.decrypt(blob, nil)
			} else {
				refused(c, (*kms.Client).Decrypt, &kms.DecryptRequest{CiphertextBlob: blob}, http.StatusConflict, code)
			}
		}
	}
	for range c.clients {
		must(c, (*kms.Client).DisableKey, &kms.DisableKeyRequest{KeyId: &key})
		wantState("Disabled", "Rejected.Disabled")
		must(c, (*kms.Client).EnableKey, &kms.EnableKeyRequest{KeyId: &key})
		wantState("Enabled", "")
		must(c, (*kms.Client).ScheduleKeyDeletion, &kms.ScheduleKeyDeletionRequest{KeyId: &key, PendingWindowInDays: tea.Int32(7)})
		wantState("PendingDeletion", "Rejected.PendingDeletion")
		if left := time.Until(c.moment(c.describe(key).DeleteDate)); left < 6*24*time.Hour || left > 7*24*time.Hour {
			c.Errorf("deleted in %v", left)
		}
		must(c, (*kms.Client).CancelKeyDeletion, &kms.CancelKeyDeletionRequest{KeyId: &key})
		wantState("Enabled", "")
	}
}

// aliases names a key, moves the name to another, and takes it away.
func aliases(c, _ *caller) {
	first, second := c.newKey(), c.newKey()
	for range c.clients {
		name := "alias/v3-" + randomHex(8)
		c.createAlias(name, first)
		c.wantNames(first, name)
		must(c, (*kms.Client).UpdateAlias, &kms.UpdateAliasRequest{AliasName: &name, KeyId: &second})
		c.wantNames(first)
		c.wantNames(second, name)
		total := int(tea.Int32Value(must(c, (*kms.Client).ListAliases, &kms.ListAliasesRequest{PageSize: tea.Int32(1)}).Body.TotalCount))
		last := int32((total + 99) / 100)
		page := must(c, (*kms.Client).ListAliases, &kms.ListAliasesRequest{PageNumber: &last, PageSize: tea.Int32(100)}).Body
		if want := total - 100*int(last-1); len(page.Aliases.Alias) != want {
			c.Errorf("the last page has %d aliases, want %d", len(page.Aliases.Alias), want)
		}
		must(c, (*kms.Client).DeleteAlias, &kms.DeleteAliasRequest{AliasName: &name})
		c.wantNames(second)
		refused(c, (*kms.Client).DescribeKey, &kms.DescribeKeyRequest{KeyId: &name}, http.StatusNotFound, "Forbidden.AliasNotFound")
	}
}

func (c *caller) wantNames(key string, want ...string) {
	c.Helper()
	for range c.clients {
		var names []string
		for _, alias := range must(c, (*kms.Client).ListAliasesByKeyId, &kms.ListAliasesByKeyIdRequest{KeyId: &key}).Body.Aliases.Alias {
			names = append(names, tea.StringValue(alias.AliasName))
		}
		if !slices.Equal(names, want) {
			c.Errorf("key %s has the names %v, want %v", key, names, want)
		}
	}
}
