package lease

// mutation is a mistake that the simulation must catch. Builds without the tag
// leasemutants have none of them: mutant is then the constant none.
type mutation string

const (
	none                     mutation = ""
	checkBeforeWork          mutation = "lease checked before the work only"
	checkNodeIndex           mutation = "check compares the node's index, not the view's"
	noReleaseWait            mutation = "no release wait"
	releaseIgnoresNonVoters  mutation = "release wait ignores non-voters"
	newLeaderReleasesAtOnce  mutation = "new leader releases at once"
	renewalClearsOld         mutation = "renewal in a new term clears the old lease at the leader"
	keepRecordsOnRewin       mutation = "leader keeps the records of an earlier term when it wins again"
	authorityAtReceipt       mutation = "authority measured at the receipt of the echo"
	echoWithoutTerm          mutation = "echo without a look at the term after the receipt"
	termBeforeReceipt        mutation = "term read before the receipt of the grant"
	grantWithoutAuthority    mutation = "leader grants without its own authority"
	authorityOverApplied     mutation = "authority over the applied configuration"
	removeAtOnce             mutation = "removal proposed at once"
	freshLeaderRemoves       mutation = "new leader removes a server that has no grant of its own"
	grantDuringRemoval       mutation = "grants go on while the removal is in flight"
	grantUncommitted         mutation = "lease to a server whose configuration is not committed"
	leftEndsNewer            mutation = "late left message ends a newer lease"
	leftOfOlderTerm          mutation = "left of an older term ends what an older leader granted"
	recordAfterSend          mutation = "grant recorded after sending"
	minViewBeforeRecord      mutation = "c read before the record"
	grantBeforeBarrier       mutation = "grants before the term's barrier is applied"
	minViewIsCommit          mutation = "c is the commit index"
	leaseFromReceipt         mutation = "lease runs from the receipt of the grant"
	noMargin                 mutation = "no margin"
	deposedReleasesLater     mutation = "a deposed leader releases a later term's write"
	snapshotGoesBack         mutation = "an older snapshot takes the state backwards"
	fastOverNewConfiguration mutation = "fast rule over a configuration that just changed"
	fastAgeOfOlderTerm       mutation = "fast rule counts an age reported in an older term"
	fastForgetsLeader        mutation = "fast rule: an ex-leader reports only what it heard"
	fastRestartGreatAge      mutation = "fast rule: a restarted node reports a great age"
)
