//go:build leasemutants

package lease

import (
	"testing"
)

// TestMutants shows that random schedules catch each mistake that they can be
// expected to.
func TestMutants(t *testing.T) {
	budget := simWalks(t)
	for _, m := range []mutation{checkBeforeWork, checkNodeIndex, noReleaseWait, releaseIgnoresNonVoters, newLeaderReleasesAtOnce,
		renewalClearsOld, keepRecordsOnRewin, authorityAtReceipt, echoWithoutTerm, termBeforeReceipt, grantWithoutAuthority,
		authorityOverApplied, removeAtOnce, freshLeaderRemoves, grantDuringRemoval, grantUncommitted, leftEndsNewer, leftOfOlderTerm,
		recordAfterSend, minViewBeforeRecord, grantBeforeBarrier, minViewIsCommit, leaseFromReceipt, noMargin, deposedReleasesLater,
		snapshotGoesBack, fastOverNewConfiguration, fastAgeOfOlderTerm, fastForgetsLeader, fastRestartGreatAge} {
		t.Run(string(m), func(t *testing.T) {
			mutant = m
			defer func() { mutant = none }()
			if run := scripts[m]; run != nil {
				if w := run(t); w.bad == "" {
					t.Error("its own schedule does not catch it")
				} else {
					t.Log("its own schedule: " + w.bad)
				}
				return
			}
			var steps uint64
			for seed := range uint64(budget) {
				w := walk(seed, 3000)
				steps += w.stats.steps
				bad := w.bad
				if bad == "" && m == minViewIsCommit && seed%8 == 0 {
					bad = settles(w)
				}
				if bad != "" {
					t.Logf("seed %d, %d steps in all: %s", seed, steps, bad)
					return
				}
			}
			t.Errorf("not caught in %d steps", steps)
		})
	}
}
