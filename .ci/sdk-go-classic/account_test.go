package classic

import (
	"net/http"
	"strings"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/kms"
)

// account asks for what belongs to no key.
func account(c, other *caller) {
	for range c.region.Endpoints {
		status := kms.CreateDescribeAccountKmsStatusRequest()
		if got := must(c, c.client.DescribeAccountKmsStatus, status.RpcRequest, status).AccountStatus; got != "Enabled" {
			c.Errorf("the service is %s", got)
		}
		open := kms.CreateOpenKmsServiceRequest()
		refused(c, c.client.OpenKmsService, open.RpcRequest, open, http.StatusBadRequest, "Forbidden.Opened")
		regions := kms.CreateDescribeRegionsRequest()
		known := must(c, c.client.DescribeRegions, regions.RpcRequest, regions).Regions.Region
		if len(known) != 2 || known[0].RegionId != c.region.ID || known[1].RegionId != other.region.ID {
			c.Errorf("regions %v", known)
		}
	}
	passwords(c)
}

// characters of a password, by the parameter that leaves them out.
const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits = "0123456789"
)

func passwords(c *caller) {
	c.Helper()
	seen := make(map[string]bool)
	for range 2 * len(c.region.Endpoints) {
		password := c.password(func(*kms.GetRandomPasswordRequest) {})
		if len(password) != 32 || seen[password] {
			c.Errorf("a password of %d characters, seen before: %v", len(password), seen[password])
		}
		for _, kind := range []string{lower, upper, digits} {
			if !strings.ContainsAny(password, kind) {
				c.Errorf("a password without one of %s", kind)
			}
		}
		seen[password] = true
	}
	for _, length := range []string{"8", "128"} {
		password := c.password(func(r *kms.GetRandomPasswordRequest) { r.PasswordLength = length })
		if want := map[string]int{"8": 8, "128": 128}[length]; len(password) != want {
			c.Errorf("a password of %d characters, want %s", len(password), length)
		}
	}
	some := c.password(func(r *kms.GetRandomPasswordRequest) {
		r.ExcludeUppercase, r.ExcludePunctuation, r.ExcludeCharacters = "true", "true", "l0o1"
		r.PasswordLength, r.RequireEachIncludedType = "128", "true"
	})
	if rest := strings.Trim(some, "abcdefghijkmnpqrstuvwxyz23456789"); rest != "" {
		c.Errorf("the password has %q, which was excluded", rest)
	}
	only := c.password(func(r *kms.GetRandomPasswordRequest) {
		r.ExcludeLowercase, r.ExcludeUppercase, r.ExcludePunctuation = "true", "true", "true"
	})
	if rest := strings.Trim(only, digits); rest != "" {
		c.Errorf("the password has %q, which was excluded", rest)
	}
	for _, wrong := range []func(*kms.GetRandomPasswordRequest){
		func(r *kms.GetRandomPasswordRequest) { r.PasswordLength = "7" },
		func(r *kms.GetRandomPasswordRequest) { r.PasswordLength = "129" },
		func(r *kms.GetRandomPasswordRequest) {
			r.ExcludeLowercase, r.ExcludeUppercase, r.ExcludePunctuation, r.ExcludeNumbers = "true", "true", "true", "true"
		},
	} {
		request := kms.CreateGetRandomPasswordRequest()
		wrong(request)
		refused(c, c.client.GetRandomPassword, request.RpcRequest, request, http.StatusBadRequest, "InvalidParameter")
	}
}

func (c *caller) password(set func(*kms.GetRandomPasswordRequest)) string {
	c.Helper()
	request := kms.CreateGetRandomPasswordRequest()
	set(request)
	return must(c, c.client.GetRandomPassword, request.RpcRequest, request).RandomPassword
}
