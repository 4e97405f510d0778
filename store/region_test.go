package store

import (
	"testing"
	"time"

	"meridian/store/storepb"
)

func TestInitRegion(t *testing.T) {
	r := emptyStore(t)
	r.read(func(v *View) {
		if _, ok := v.Region(); ok || !v.LastStamp().IsZero() || v.StateHash() != [32]byte{} || v.Index() != 0 {
			t.Error("an empty state has a region, a stamp, a hash or an index")
		}
	})
	r.refused(storepb.Code_REGION_MISSING, createKey(1))
	r.ok(&storepb.RegisterNode{Id: "n1", Incarnation: []byte("incarnation 0001")}) // may come first
	r.ok(initRegion())
	r.refused(storepb.Code_REGION_EXISTS, initRegion())
	r.ok(createKey(1))
	r.reopen()
	r.read(func(v *View) {
		region, ok := v.Region()
		if !ok || region.Region != "eu-test-1" || region.Account != "1234567890123456" || string(region.ClusterID) != "cluster id 00001" ||
			string(region.DataEpoch) != "data epoch 00001" || string(region.Canary) != "canary" || region.FeatureLevel != 1 ||
			!region.Created.Equal(time.UnixMilli(baseStamp)) {
			t.Errorf("%+v", region)
		}
		if len(region.Keyrings) != 1 || region.Keyrings[0].Provider != "file" || region.Keyrings[0].KeyID != "k1" || string(region.Keyrings[0].Ciphertext) != "keyring" {
			t.Errorf("%+v", region.Keyrings)
		}
	})
	r.check()
}

func TestRegisterNode(t *testing.T) {
	r := newRegion(t)
	r.ok(&storepb.RegisterNode{Id: "n1", Incarnation: []byte("incarnation 0001")})
	r.ok(&storepb.RegisterNode{Id: "n1", Incarnation: []byte("incarnation 0001")})
	r.refused(storepb.Code_NODE_EXISTS, &storepb.RegisterNode{Id: "n1", Incarnation: []byte("incarnation 0002")})
	r.read(func(v *View) {
		node, ok, err := v.Node("n1")
		if err != nil || !ok || string(node.Incarnation) != "incarnation 0001" || !node.Registered.Equal(time.UnixMilli(baseStamp)) {
			t.Errorf("%+v, %v, %v", node, ok, err)
		}
		for _, id := range []string{"n2", ""} {
			if _, ok, err := v.Node(id); ok || err != nil {
				t.Errorf("node %q: %v, %v", id, ok, err)
			}
		}
	})
}
