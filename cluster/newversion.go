package cluster

import (
	"time"

	"meridian/crypto"
	"meridian/store"
	"meridian/store/storepb"
)

// A rotation takes two commands, because applying takes time: a node that has
// applied a rotation would seal under the new version while another one, which has
// not, could not open it, and might answer all the same. So AddVersion comes
// first; once it is acknowledged, every node that may answer has the version. Then
// the version is checked as it is stored, and SwitchPrimary has it used.

// NewVersion is a version to be added to a key, with material that was seen to
// work. Zero limits are none.
type NewVersion struct {
	Place    crypto.Binding
	Wrapped  []byte           // the material, as Wrap sealed it for Place
	Replaces crypto.VersionID // the version in waiting that does not work; zero: there is none

	KeyLimit    int           // versions of the key
	RegionLimit int           // versions of the region
	Interval    time.Duration // since the newest version of the key
}

// AddVersion returns the command that adds a version to a key as it was read: if
// the primary version is another by then, it is refused.
func AddVersion(k *store.Key, v NewVersion) *storepb.Command {
	body := &storepb.AddKeyVersion{
		KeyId: v.Place.KeyID[:], VersionId: v.Place.VersionID[:], Algorithm: uint32(v.Place.Algorithm), Wrapped: v.Wrapped,
		ExpectedPrimary: k.PrimaryVersion[:], Limit: uint32(v.KeyLimit), RegionLimit: uint64(v.RegionLimit), MinIntervalMs: v.Interval.Milliseconds(),
	}
	if !v.Replaces.IsZero() {
		body.Replaces = v.Replaces[:]
	}
	return &storepb.Command{Body: &storepb.Command_AddKeyVersion{AddKeyVersion: body}}
}

// SwitchPrimary returns the command that makes the version of a place the primary
// one.
func SwitchPrimary(place crypto.Binding) *storepb.Command {
	return &storepb.Command{Body: &storepb.Command_SwitchPrimary{SwitchPrimary: &storepb.SwitchPrimary{
		KeyId: place.KeyID[:], VersionId: place.VersionID[:],
	}}}
}
