package v3

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"time"

	kms "github.com/alibabacloud-go/kms-20160120/v3/client"
	"github.com/alibabacloud-go/tea/tea"
)

// versions rotates a key by hand on each node. A region of meridian dev allows a new version at any time.
func versions(c, _ *caller) {
	key, text := c.newKey(), []byte("older than the key's version")
	ids := c.versions(key)
	var blobs []*string
	for range c.clients {
		blobs = append(blobs, c.encrypt(key, text, payments).CiphertextBlob)
		made := must(c, (*kms.Client).CreateKeyVersion, &kms.CreateKeyVersionRequest{KeyId: &key}).Body.KeyVersion
		ids = append([]string{tea.StringValue(made.KeyVersionId)}, ids...)
		for range c.clients {
			got := must(c, (*kms.Client).DescribeKeyVersion, &kms.DescribeKeyVersionRequest{KeyId: &key, KeyVersionId: made.KeyVersionId}).Body.KeyVersion
			if got.String() != made.String() {
				c.Errorf("version %v, want %v", got, made)
			}
			if got := tea.StringValue(c.encrypt(key, text, nil).KeyVersionId); got != ids[0] {
				c.Errorf("sealed under version %s, want %s", got, ids[0])
			}
		}
	}
	if got := c.versions(key); !slices.Equal(got, ids) {
		c.Errorf("the versions are %v, want %v", got, ids)
	}
	for _, blob := range blobs {
		if got := c.decrypt(blob, payments); !bytes.Equal(got, text) {
			c.Errorf("opens to %q", got)
		}
	}
	refused(c, (*kms.Client).DescribeKeyVersion, &kms.DescribeKeyVersionRequest{KeyId: &key, KeyVersionId: tea.String(noKey)}, http.StatusNotFound, "Forbidden.KeyVersionNotFound")
}

// versions lists a key's versions in pages of two.
func (c *caller) versions(key string) (ids []string) {
	c.Helper()
	for page := int32(1); ; page++ {
		request := &kms.ListKeyVersionsRequest{KeyId: &key, PageNumber: &page, PageSize: tea.Int32(2)}
		answer := must(c, (*kms.Client).ListKeyVersions, request).Body
		for _, version := range answer.KeyVersions.KeyVersion {
			ids = append(ids, tea.StringValue(version.KeyVersionId))
		}
		if len(answer.KeyVersions.KeyVersion) < 2 || len(ids) >= int(tea.Int32Value(answer.TotalCount)) {
			return ids
		}
	}
}

// rotation turns automatic rotation on and off on each node.
func rotation(c, _ *caller) {
	key := tea.StringValue(c.createKey(&kms.CreateKeyRequest{EnableAutomaticRotation: tea.Bool(true), RotationInterval: tea.String("30d")}).KeyId)
	c.wantRotation(key, "Enabled", 30*24*time.Hour)
	for i := range c.clients {
		days := 7 + i
		must(c, (*kms.Client).UpdateRotationPolicy, &kms.UpdateRotationPolicyRequest{
			KeyId: &key, EnableAutomaticRotation: tea.Bool(true), RotationInterval: tea.String(fmt.Sprintf("%dd", days))})
		c.wantRotation(key, "Enabled", time.Duration(days)*24*time.Hour)
	}
	refused(c, (*kms.Client).UpdateRotationPolicy, &kms.UpdateRotationPolicyRequest{
		KeyId: &key, EnableAutomaticRotation: tea.Bool(true), RotationInterval: tea.String("731d")}, http.StatusBadRequest, "InvalidParameter")
	refused(c, (*kms.Client).UpdateRotationPolicy, &kms.UpdateRotationPolicyRequest{
		KeyId: &key, EnableAutomaticRotation: tea.Bool(true)}, http.StatusBadRequest, "MissingParameter")
	for range c.clients {
		must(c, (*kms.Client).UpdateRotationPolicy, &kms.UpdateRotationPolicyRequest{KeyId: &key, EnableAutomaticRotation: tea.Bool(false)})
		c.wantRotation(key, "Disabled", 0)
	}
}

func (c *caller) wantRotation(key, state string, interval time.Duration) {
	c.Helper()
	for range c.clients {
		got := c.describe(key)
		if tea.StringValue(got.AutomaticRotation) != state {
			c.Errorf("automatic rotation %s, want %s", tea.StringValue(got.AutomaticRotation), state)
		}
		if interval == 0 {
			continue
		}
		every, err := time.ParseDuration(tea.StringValue(got.RotationInterval))
		if next := c.moment(got.LastRotationDate).Add(interval); err != nil || every != interval || !c.moment(got.NextRotationDate).Equal(next) {
			c.Errorf("rotation every %v (%v), next on %s, want %v and %v", every, err, tea.StringValue(got.NextRotationDate), interval, next)
		}
	}
}

// protection keeps a key from being deleted. The SDK names the key by ARN alone; ways sends the KeyId that Terraform sends.
func protection(c, _ *caller) {
	made := c.createKey(&kms.CreateKeyRequest{})
	for range c.clients {
		must(c, (*kms.Client).SetDeletionProtection, &kms.SetDeletionProtectionRequest{
			ProtectedResourceArn: made.Arn, EnableDeletionProtection: tea.Bool(true), DeletionProtectionDescription: tea.String("keeps the books")})
		got := c.describe(tea.StringValue(made.KeyId))
		if tea.StringValue(got.DeletionProtection) != "Enabled" || tea.StringValue(got.DeletionProtectionDescription) != "keeps the books" {
			c.Errorf("deletion protection %v", got)
		}
		refused(c, (*kms.Client).ScheduleKeyDeletion, &kms.ScheduleKeyDeletionRequest{KeyId: made.KeyId, PendingWindowInDays: tea.Int32(7)},
			http.StatusConflict, "Rejected.DeletionProtection")
		must(c, (*kms.Client).SetDeletionProtection, &kms.SetDeletionProtectionRequest{ProtectedResourceArn: made.Arn, EnableDeletionProtection: tea.Bool(false)})
		if got := tea.StringValue(c.describe(tea.StringValue(made.KeyId)).DeletionProtection); got != "Disabled" {
			c.Errorf("deletion protection %s", got)
		}
	}
	must(c, (*kms.Client).ScheduleKeyDeletion, &kms.ScheduleKeyDeletionRequest{KeyId: made.KeyId, PendingWindowInDays: tea.Int32(7)})
}
