package store

import (
	"testing"

	"meridian/store/storepb"
)

func TestKeyPolicy(t *testing.T) {
	r := newRegion(t)
	r.ok(createKey(1))
	for _, policy := range []string{"", "{}", "{}", `{"Version":"1"}`, "", "", "{}"} {
		result := r.ok(&storepb.SetKeyPolicy{KeyId: idOf(1), Policy: policy})
		if k, ok := KeyOf(result); !ok || k.policy != (policy != "") {
			t.Errorf("%q: the result carries %+v", policy, k)
		}
		r.read(func(v *View) {
			if got, err := v.Policy(id(1)); err != nil || got != policy {
				t.Errorf("policy %q, %v; want %q", got, err, policy)
			}
		})
		r.check()
	}
	r.ok(&storepb.ScheduleKeyDeletion{KeyId: idOf(1), Days: 7})
	r.stamp += 7 * dayMs
	r.ok(&storepb.DestroyKeys{KeyIds: [][]byte{idOf(1)}})
	r.check()
}
