//go:build measure

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"meridian/cluster/api/client"
	"meridian/cmd/meridian/devregion"
)

// span is a stretch of time.
type span struct{ from, to time.Time }

// BenchmarkMillionSnapshot serves cryptography and some writes from a million
// keys while Raft takes snapshots of them, and compares calls that overlap a
// snapshot with calls that do not.
func BenchmarkMillionSnapshot(b *testing.B) {
	r := startRegions(b, 1, 1, "raft.snapshot_interval=1s", "raft.snapshot_threshold=200")
	node, region := r.layout.Nodes()[0], r.layout.Regions[0]
	key := makeKey(b, r.client(region))
	r.stop(node)
	fillState(b, filepath.Join(region.Dir, "root.key"), filepath.Join(node.DataDir, "state.db"))
	r.start(node)
	r.waitReady(node)

	const (
		callers, rest  = 8, 3 * time.Millisecond // about half of two cores
		writePause     = 50 * time.Millisecond   // a snapshot every ten seconds or so
		wantSnapshots  = 5
		longestMeasure = 5 * time.Minute
	)
	began := time.Now()
	done := make(chan struct{})
	var callersDone sync.WaitGroup
	crypto := make([][]span, callers)
	for i := range callers {
		c := r.client(region)
		callersDone.Go(func() {
			crypto[i] = repeat(b, done, c, rest, "Encrypt", map[string]string{"KeyId": key, "Plaintext": "aGVsbG8="})
		})
	}
	var writes []span
	writer := r.client(region)
	callersDone.Go(func() {
		writes = repeat(b, done, writer, writePause, "UpdateKeyDescription", map[string]string{"KeyId": key, "Description": "another"})
	})
	for len(snapshotsTaken(b, node, began)) < wantSnapshots && time.Since(began) < longestMeasure {
		time.Sleep(time.Second)
	}
	close(done)
	callersDone.Wait()
	snapshots := snapshotsTaken(b, node, began)
	if len(snapshots) < wantSnapshots {
		b.Fatalf("%d snapshots only", len(snapshots))
	}

	during, apart := split(slices.Concat(crypto...), snapshots)
	writesDuring, writesApart := split(writes, snapshots)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(snapshots[0].to.Sub(snapshots[0].from).Seconds(), "s-snapshot")
	b.ReportMetric(quantileMs(apart, 0.99), "ms-crypto-p99")
	b.ReportMetric(quantileMs(during, 0.99), "ms-crypto-p99-snapshot")
	b.ReportMetric(quantileMs(during, 0.99)/quantileMs(apart, 0.99), "crypto-p99-ratio")
	b.ReportMetric(quantileMs(writesApart, 0.99), "ms-write-p99")
	b.ReportMetric(quantileMs(writesApart, 1), "ms-write-max")
	b.ReportMetric(quantileMs(writesDuring, 0.99), "ms-write-p99-snapshot")
	b.ReportMetric(quantileMs(writesDuring, 1), "ms-write-max-snapshot")
}

// repeat makes a call again and again until done, and returns when each ran.
func repeat(b *testing.B, done <-chan struct{}, c *client.Client, rest time.Duration, action string, params map[string]string) []span {
	var all []span
	for {
		select {
		case <-done:
			return all
		case <-time.After(rest):
		}
		began := time.Now()
		if _, err := c.Do(b.Context(), action, params, nil); err != nil {
			b.Error(err)
			return all
		}
		all = append(all, span{began, time.Now()})
	}
}

// snapshotsTaken reads from a server's log when Raft took its snapshots.
func snapshotsTaken(b *testing.B, n *devregion.Node, since time.Time) []span {
	b.Helper()
	text, err := os.ReadFile(n.LogFile)
	if err != nil {
		b.Fatal(err)
	}
	var all []span
	var from time.Time
	for line := range strings.Lines(string(text)) {
		var entry struct {
			Time time.Time
			Msg  string
		}
		if json.Unmarshal([]byte(line), &entry) != nil || entry.Time.Before(since) {
			continue
		}
		switch {
		case strings.Contains(entry.Msg, "starting snapshot up to"):
			from = entry.Time
		case strings.Contains(entry.Msg, "snapshot complete up to") && !from.IsZero():
			all = append(all, span{from, entry.Time})
		}
	}
	return all
}

// split parts calls that overlap a stretch from those that do not.
func split(calls, stretches []span) (during, apart []time.Duration) {
	for _, c := range calls {
		took := c.to.Sub(c.from)
		if slices.ContainsFunc(stretches, func(s span) bool { return c.from.Before(s.to) && s.from.Before(c.to) }) {
			during = append(during, took)
		} else {
			apart = append(apart, took)
		}
	}
	return during, apart
}

// quantileMs is a quantile of times in milliseconds.
func quantileMs(times []time.Duration, q float64) float64 {
	if len(times) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(times))
	return float64(sorted[min(int(q*float64(len(sorted))), len(sorted)-1)].Microseconds()) / 1e3
}
