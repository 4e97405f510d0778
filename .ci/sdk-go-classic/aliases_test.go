package classic

import (
	"net/http"
	"slices"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/kms"
)

// aliases names a key, moves the name to another, and takes it away.
func aliases(c, _ *caller) {
	first, second := c.createKey(nil).KeyId, c.createKey(nil).KeyId
	names := []string{"alias/classic-" + randomHex(8), "alias/classic/" + randomHex(8) + "/a_b"}
	slices.Sort(names)
	for _, name := range names {
		c.createAlias(name, first)
	}
	wantNames(c, first, names)
	if all := allAliases(c); !slices.Contains(all, names[0]) || !slices.Contains(all, names[1]) || !slices.IsSorted(all) {
		c.Errorf("the list of %d aliases lacks one of two, or is in no order", len(all))
	}
	move := kms.CreateUpdateAliasRequest()
	move.AliasName, move.KeyId = names[0], second
	must(c, c.client.UpdateAlias, move.RpcRequest, move)
	for range c.region.Endpoints {
		if got := c.describe(names[0]).KeyId; got != second {
			c.Errorf("%s is %s, want %s", names[0], got, second)
		}
	}
	wantNames(c, first, names[1:])
	wantNames(c, second, names[:1])

	enable := kms.CreateEnableKeyRequest()
	enable.KeyId = names[0]
	refused(c, c.client.EnableKey, enable.RpcRequest, enable, http.StatusBadRequest, "Unsupported.Alias")
	move = kms.CreateUpdateAliasRequest()
	move.AliasName, move.KeyId = names[0]+"-no", second
	refused(c, c.client.UpdateAlias, move.RpcRequest, move, http.StatusNotFound, "Forbidden.AliasNotFound")
	reserved := kms.CreateCreateAliasRequest()
	reserved.AliasName, reserved.KeyId = "alias/acs/"+randomHex(8), first
	refused(c, c.client.CreateAlias, reserved.RpcRequest, reserved, http.StatusBadRequest, "InvalidParameter")
	for _, name := range names {
		remove := kms.CreateDeleteAliasRequest()
		remove.AliasName = name
		must(c, c.client.DeleteAlias, remove.RpcRequest, remove)
		for range c.region.Endpoints {
			request := encryptRequest(name, []byte("text"), "")
			refused(c, c.client.Encrypt, request.RpcRequest, request, http.StatusNotFound, "Forbidden.AliasNotFound")
		}
	}
}

func wantNames(c *caller, key string, want []string) {
	c.Helper()
	for range c.region.Endpoints {
		request := kms.CreateListAliasesByKeyIdRequest()
		request.KeyId, request.PageSize = key, requests.NewInteger(100)
		answer := must(c, c.client.ListAliasesByKeyId, request.RpcRequest, request)
		var names []string
		for _, alias := range answer.Aliases.Alias {
			names = append(names, alias.AliasName)
		}
		if !slices.Equal(names, want) || answer.TotalCount != len(want) {
			c.Errorf("key %s has the names %v of %d, want %v", key, names, answer.TotalCount, want)
		}
	}
}

func allAliases(c *caller) (names []string) {
	c.Helper()
	for page := 1; ; page++ {
		request := kms.CreateListAliasesRequest()
		request.PageNumber, request.PageSize = requests.NewInteger(page), requests.NewInteger(100)
		answer := must(c, c.client.ListAliases, request.RpcRequest, request)
		for _, alias := range answer.Aliases.Alias {
			names = append(names, alias.AliasName)
		}
		if len(answer.Aliases.Alias) == 0 || len(names) >= answer.TotalCount {
			return names
		}
	}
}
