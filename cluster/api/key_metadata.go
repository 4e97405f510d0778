package api

import (
	"time"

	"meridian/store"
)

// Words of the API for what is on or off.
const (
	wordEnabled   = "Enabled"
	wordDisabled  = "Disabled"
	wordSuspended = "Suspended"
)

// keyMetadata adds the member KeyMetadata, as CreateKey and DescribeKey answer it.
func (c *Call) keyMetadata(k *store.Key) {
	a := c.Answer
	a.Object("KeyMetadata")
	a.Text("KeyId", k.ID.String())
	a.Text("Arn", c.keyARN(k.ID))
	a.Text("KeyState", c.stateOf(k).String())
	a.Text("KeySpec", k.Spec)
	a.Text("KeyUsage", k.Usage)
	a.Text("Origin", k.Origin)
	a.Text("ProtectionLevel", k.ProtectionLevel)
	a.Text("Description", k.Description)
	a.Text("Creator", k.Creator)
	a.Time("CreationDate", k.Created)
	a.Time("DeleteDate", k.DeleteAt)
	a.Time("MaterialExpireTime", k.MaterialExpires)
	if isSymmetric(k) {
		a.Text("PrimaryKeyVersion", c.primaryVersion(k))
	}
	a.Time("LastRotationDate", k.LastRotation)
	a.Text("AutomaticRotation", automaticRotation(k))
	if k.RotationInterval > 0 {
		a.Text("RotationInterval", decimal(int64(k.RotationInterval/time.Second))+"s")
		a.Time("NextRotationDate", k.NextRotation)
	}
	a.Text("DeletionProtection", onOff(k.DeletionProtection))
	if k.DeletionProtection {
		a.Text("DeletionProtectionDescription", k.DeletionProtectionDescription)
	}
	a.End()
}

// primaryVersion is the id of the version that seals, empty while there is no material.
func (c *Call) primaryVersion(k *store.Key) string {
	if k.PrimaryVersion.IsZero() || c.stateOf(k) == store.PendingImport {
		return ""
	}
	return k.PrimaryVersion.String()
}

// automaticRotation is Suspended where rotation is on but the state of the key does not let it happen.
func automaticRotation(k *store.Key) string {
	switch {
	case k.RotationInterval == 0:
		return wordDisabled
	case k.State != store.Enabled:
		return wordSuspended
	}
	return wordEnabled
}

func onOff(on bool) string {
	if on {
		return wordEnabled
	}
	return wordDisabled
}
