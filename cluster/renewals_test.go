package cluster

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"meridian/cluster/clusterpb"
)

func TestRenewalsAreCountedAndTheFirstFailureOfARowIsLogged(t *testing.T) {
	var lines bytes.Buffer
	n := &Node{ctx: t.Context(), log: slog.New(slog.NewTextHandler(&lines, nil))}
	n.metrics = newMetrics(n)
	l := &leases{node: n}
	gone := errors.New("nobody there")
	for _, answer := range []*clusterpb.RenewResponse{nil, nil, {Granted: true}, {}, nil} {
		if answer == nil {
			l.renewed("b", nil, gone)
		} else {
			l.renewed("b", answer, nil)
		}
	}
	counts := prometheus.NewRegistry()
	counts.MustRegister(n.metrics.renewals)
	families, err := counts.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counted := make(map[string]float64)
	for _, m := range families[0].Metric {
		counted[m.Label[0].GetValue()] = m.Counter.GetValue()
	}
	for outcome, want := range map[string]float64{renewalGranted: 1, renewalDenied: 1, renewalFailed: 3} {
		if counted[outcome] != want {
			t.Errorf("%s: %v, want %v", outcome, counted[outcome], want)
		}
	}
	if got := strings.Count(lines.String(), "nobody there"); got != 2 {
		t.Errorf("%d lines, want one a row:\n%s", got, &lines)
	}
}

func TestPassingErrorsAreNoFaults(t *testing.T) {
	if isPassing(errors.New("the disk is on fire")) {
		t.Error("any error is explained by an election")
	}
	if !isPassing(errors.Join(errNotLeading)) || !isPassing(errForming) {
		t.Error("an election is a fault")
	}
}
