package v3

import (
	"net/http"
	"strings"

	kms "github.com/alibabacloud-go/kms-20160120/v3/client"
	"github.com/alibabacloud-go/tea/tea"
)

// account asks for what belongs to no key, on each node.
func account(c, other *caller) {
	for range c.clients {
		status, err := c.node().DescribeAccountKmsStatus()
		if err != nil || tea.StringValue(status.Body.AccountStatus) != "Enabled" {
			c.Errorf("DescribeAccountKmsStatus answers %v (%v)", status, err)
		}
	}
	for range c.clients {
		_, err := c.node().OpenKmsService()
		c.wantRefusal("OpenKmsService", err, http.StatusBadRequest, "Forbidden.Opened")
	}
	for range c.clients {
		known, err := c.node().DescribeRegions()
		if err != nil {
			c.Fatal(err)
		}
		if r := known.Body.Regions.Region; len(r) != 2 || tea.StringValue(r[0].RegionId) != c.region.ID || tea.StringValue(r[1].RegionId) != other.region.ID {
			c.Errorf("DescribeRegions answers %v", r)
		}
	}
	seen := make(map[string]bool)
	for range c.clients {
		password := tea.StringValue(must(c, (*kms.Client).GetRandomPassword, &kms.GetRandomPasswordRequest{}).Body.RandomPassword)
		if len(password) != 32 || seen[password] {
			c.Errorf("a password of %d characters, seen before: %v", len(password), seen[password])
		}
		seen[password] = true
	}
	digits := tea.StringValue(must(c, (*kms.Client).GetRandomPassword, &kms.GetRandomPasswordRequest{
		PasswordLength: tea.String("128"), ExcludeCharacters: tea.String("13579"), RequireEachIncludedType: tea.String("false"),
		ExcludeLowercase: tea.String("true"), ExcludeUppercase: tea.String("true"), ExcludePunctuation: tea.String("true")}).Body.RandomPassword)
	if len(digits) != 128 || strings.Trim(digits, "02468") != "" {
		c.Errorf("128 even digits are %q", digits)
	}
	refused(c, (*kms.Client).GetRandomPassword, &kms.GetRandomPasswordRequest{PasswordLength: tea.String("129")}, http.StatusBadRequest, "InvalidParameter")
}
