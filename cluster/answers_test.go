package cluster

import (
	"errors"
	"testing"
	"time"

	"meridian/cluster/clusterpb"
)

// The leader's answer is believed only when it is whole and says what this node
// knows: all else leaves the outcome open.
func TestAnswersOfTheLeader(t *testing.T) {
	for name, c := range map[string]struct {
		proposed []*clusterpb.Proposed
		want     []outcome
	}{
		"one each":             {[]*clusterpb.Proposed{{Outcome: notLeader}, {Outcome: throttled}}, []outcome{notLeader, throttled}},
		"too few":              {[]*clusterpb.Proposed{{Outcome: notLeader}}, []outcome{unknown, unknown}},
		"too many":             {[]*clusterpb.Proposed{{Outcome: notLeader}, {Outcome: notLeader}, {Outcome: notLeader}}, []outcome{unknown, unknown}},
		"none":                 {nil, []outcome{unknown, unknown}},
		"a broken result":      {[]*clusterpb.Proposed{{Outcome: decided, Result: []byte{0xff}}, {Outcome: decided}}, []outcome{unknown, decided}},
		"outcomes of tomorrow": {[]*clusterpb.Proposed{{Outcome: 99}, {}}, []outcome{unknown, unknown}},
		"all kinds of refusal": {[]*clusterpb.Proposed{{Outcome: diskIsFull, Reason: "n2"}, {Outcome: refused}}, []outcome{diskIsFull, refused}},
	} {
		got := attemptsOf("n1", c.proposed, 2)
		for i := range c.want {
			if len(got) != 2 || got[i].outcome != c.want[i] {
				t.Errorf("%s: %v, want %v", name, got, c.want)
				break
			}
			if got[i].outcome != decided && got[i].reason == nil {
				t.Errorf("%s: %v without a reason", name, got[i].outcome)
			}
		}
	}
}

// The writes that wait at the leader are bounded: at the bound one is taken, past
// it none, and the refusal leaves the count as it was.
func TestWaitingWritesAreBounded(t *testing.T) {
	n := new(Node)
	for i := range 4096 {
		if a, ok := n.count(); !ok {
			t.Fatalf("write %d: %v", i+1, a.reason)
		}
	}
	for range 2 {
		if a, ok := n.count(); ok || a.outcome != throttled || !errors.Is(a.reason, ErrThrottled) {
			t.Errorf("one past the bound: %v, %v", a.outcome, a.reason)
		}
	}
	n.answered(newProposal(nil, time.Time{}), attempt{})
	if a, ok := n.count(); !ok {
		t.Errorf("after one was answered: %v", a.reason)
	}
}
