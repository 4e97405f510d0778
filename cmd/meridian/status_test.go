package main

import (
	"strings"
	"testing"
	"time"

	"meridian/cluster"
)

func member(id, role string, applied uint64) cluster.MemberStatus {
	return cluster.MemberStatus{ID: id, Address: id + ":1", Voter: true,
		Status: &cluster.Status{NodeID: id, Region: "r", Role: role, Term: 3, Applied: applied, Healthy: true}}
}

func down(id, why string) cluster.MemberStatus {
	return cluster.MemberStatus{ID: id, Address: id + ":1", Voter: true, Error: why}
}

func formingMember(id, phase string) cluster.MemberStatus {
	m := member(id, "follower", 0)
	m.Status.Sealed, m.Status.Phase = true, phase
	if phase != "" {
		m.Status.Role = "forming"
	}
	return m
}

func TestStatusOfARegion(t *testing.T) {
	sealed := member("c", "follower", 5)
	sealed.Status.Sealed, sealed.Status.SealError = true, "no root key"
	for _, tc := range []struct {
		name     string
		members  []cluster.MemberStatus
		healthy  bool
		leader   string
		unsealed int
		problem  string
	}{
		{"all well", []cluster.MemberStatus{member("a", "leader", 10), member("b", "follower", 8), member("c", "follower", 10)}, true, "a", 3, ""},
		{"one down", []cluster.MemberStatus{member("a", "leader", 10), member("b", "follower", 8), down("c", "connection refused")}, true, "a", 2, "c: connection refused"},
		{"no quorum", []cluster.MemberStatus{member("a", "candidate", 10), down("b", "x"), down("c", "y")}, false, "", 1, "1 of 3 voters answers (need 2): nodes answer reads until"},
		{"no leader", []cluster.MemberStatus{member("a", "candidate", 10), member("b", "follower", 10)}, false, "", 2, "no leader is elected"},
		{"sealed", []cluster.MemberStatus{member("a", "leader", 10), member("b", "follower", 10), sealed}, true, "a", 2, "c is sealed: no root key"},
		{"forming", []cluster.MemberStatus{member("a", "leader", 10), member("b", "follower", 10), formingMember("c", "forming: waits for d (connection refused)")}, true, "a", 2, "c is forming: waits for d (connection refused)"},
		{"no region yet", []cluster.MemberStatus{formingMember("a", ""), formingMember("b", ""), down("c", "x")}, false, "", 0, "a is forming"},
		{"not formed", nil, false, "", 0, "the region is still being formed"},
	} {
		view := opsView(&opsStatus{Status: &cluster.Status{Region: "r"}, Members: tc.members})
		if view.Healthy != tc.healthy || view.Leader != tc.leader || view.Unsealed != tc.unsealed || !strings.Contains(strings.Join(view.Problems, "\n"), tc.problem) {
			t.Errorf("%s: %+v", tc.name, view)
		}
		if tc.healthy != (len(view.Problems) == 0) && tc.problem == "" {
			t.Errorf("%s: problems %q", tc.name, view.Problems)
		}
	}
	halted := opsView(&opsStatus{Status: &cluster.Status{Lease: 4 * time.Second, Hold: 3 * time.Second}, Members: []cluster.MemberStatus{member("a", "candidate", 10), down("b", "x")}})
	if want := "until their leases end, 4s at most, and then refuse; writes are held up to 3s (raft.hold)"; !strings.Contains(halted.Problems[0], want) {
		t.Errorf("says %q, want %q", halted.Problems[0], want)
	}
	view := opsView(&opsStatus{Status: &cluster.Status{}, Members: []cluster.MemberStatus{member("a", "leader", 10), member("b", "follower", 8)}})
	if view.Nodes[0].Role != "leader" || view.Nodes[1].Lag != 2 || view.Nodes[1].Role != "voter" {
		t.Errorf("%+v", view.Nodes)
	}
}

func TestGrouped(t *testing.T) {
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1 000", 184220: "184 220", 1234567: "1 234 567"} {
		if got := grouped(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}
