package store

import (
	"testing"

	"meridian/store/storepb"
)

func TestDeletionProtection(t *testing.T) {
	r := newRegion(t)
	r.ok(createKey(1))
	for _, tt := range []struct {
		enabled           bool
		description, want string
	}{{true, "in use", "in use"}, {true, "", ""}, {true, "again", "again"}, {false, "off", ""}, {false, "", ""}} {
		result := r.ok(&storepb.SetDeletionProtection{KeyId: idOf(1), Enabled: tt.enabled, Description: tt.description})
		fromResult, _ := KeyOf(result)
		for where, k := range map[string]*Key{"result": fromResult, "view": r.key(id(1))} {
			if k.DeletionProtection != tt.enabled || k.DeletionProtectionDescription != tt.want {
				t.Errorf("%s: %v %q; want %v %q", where, k.DeletionProtection, k.DeletionProtectionDescription, tt.enabled, tt.want)
			}
		}
		if !tt.enabled {
			continue
		}
		r.refused(storepb.Code_DELETION_PROTECTION, &storepb.ScheduleKeyDeletion{KeyId: idOf(1), Days: 7})
	}
	r.ok(&storepb.ScheduleKeyDeletion{KeyId: idOf(1), Days: 7})
	r.check()
}
