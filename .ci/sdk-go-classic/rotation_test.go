package classic

import (
	"net/http"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/kms"
)

// rotation turns automatic rotation on and off, at creation and afterwards.
func rotation(c, _ *caller) {
	key := c.createKey(func(r *kms.CreateKeyRequest) {
		r.EnableAutomaticRotation, r.RotationInterval = requests.NewBoolean(true), "365d"
	})
	c.wantRotation(key, "Enabled", 365*24*time.Hour)
	for _, interval := range []struct {
		text  string
		lasts time.Duration
	}{{"7d", 7 * 24 * time.Hour}, {"730d", 730 * 24 * time.Hour}, {"17520h", 730 * 24 * time.Hour}, {"10080m", 7 * 24 * time.Hour}, {"604801s", 604801 * time.Second}} {
		request := rotationRequest(key.KeyId, true, interval.text)
		must(c, c.client.UpdateRotationPolicy, request.RpcRequest, request)
		c.wantRotation(c.describe(key.KeyId), "Enabled", interval.lasts)
	}
	for _, interval := range []string{"6d", "731d", "604799s", "63072001s", "7", "0d", "7w", "-7d"} {
		request := rotationRequest(key.KeyId, true, interval)
		refused(c, c.client.UpdateRotationPolicy, request.RpcRequest, request, http.StatusBadRequest, "InvalidParameter")
	}
	without := rotationRequest(key.KeyId, true, "")
	refused(c, c.client.UpdateRotationPolicy, without.RpcRequest, without, http.StatusBadRequest, "MissingParameter")

	c.disable(key.KeyId)
	c.wantRotation(c.describe(key.KeyId), "Suspended", 604801*time.Second)
	off := rotationRequest(key.KeyId, false, "")
	refused(c, c.client.UpdateRotationPolicy, off.RpcRequest, off, http.StatusConflict, "Rejected.Disabled")
	c.enable(key.KeyId)
	must(c, c.client.UpdateRotationPolicy, off.RpcRequest, off)
	c.wantRotation(c.describe(key.KeyId), "Disabled", 0)

	asymmetric := rotationRequest(c.createKeyOf("EC_P256", "").KeyId, true, "7d")
	refused(c, c.client.UpdateRotationPolicy, asymmetric.RpcRequest, asymmetric, http.StatusBadRequest, "UnsupportedOperation")
	external := c.createKey(func(r *kms.CreateKeyRequest) { r.Origin = "EXTERNAL" })
	imported := rotationRequest(external.KeyId, true, "7d")
	c.refusedEither(imported)
}

// refusedEither: the contract names two codes for a key that awaits its material, and no order of them.
func (c *caller) refusedEither(request *kms.UpdateRotationPolicyRequest) {
	c.Helper()
	c.aim(request.RpcRequest)
	if _, err := c.client.UpdateRotationPolicy(request); err == nil {
		c.Error("the rotation of an imported key can be set")
	}
}

func rotationRequest(key string, enable bool, interval string) *kms.UpdateRotationPolicyRequest {
	request := kms.CreateUpdateRotationPolicyRequest()
	request.KeyId, request.EnableAutomaticRotation, request.RotationInterval = key, requests.NewBoolean(enable), interval
	return request
}

// wantRotation insists on a state; the next rotation is one interval after the last.
func (c *caller) wantRotation(key kms.KeyMetadata, state string, interval time.Duration) {
	c.Helper()
	if key.AutomaticRotation != state {
		c.Errorf("automatic rotation %s, want %s", key.AutomaticRotation, state)
	}
	if state == "Disabled" {
		if key.RotationInterval != "" || key.NextRotationDate != "" {
			c.Errorf("no rotation every %s, next on %s", key.RotationInterval, key.NextRotationDate)
		}
		return
	}
	every, err := time.ParseDuration(key.RotationInterval)
	if err != nil || every != interval {
		c.Errorf("rotation every %s (%v), want %v", key.RotationInterval, err, interval)
	}
	if next := c.moment(key.LastRotationDate).Add(interval); !next.Equal(c.moment(key.NextRotationDate)) {
		c.Errorf("next rotation on %s, want %v", key.NextRotationDate, next)
	}
}
