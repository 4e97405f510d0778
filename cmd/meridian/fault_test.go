package main

import (
	"encoding/base64"
	"testing"

	"meridian/cmd/meridian/devregion"
)

// TestKillMinus9 kills servers of a region of three under load: the leader, then
// a follower, then all three at once.
func TestKillMinus9(t *testing.T) {
	t.Parallel()
	r := startRegions(t, 1, 3, "limits.aliases=1000000")
	region := r.layout.Regions[0]

	// Whoever is killed, no call on the others fails and nothing acknowledged
	// is lost.
	for _, victim := range []struct {
		name   string
		choose func() *devregion.Node
		end    func(...*devregion.Node)
		clean  bool // then every call is answered, on that node too
	}{
		{"the leader", func() *devregion.Node { return r.leader(region) }, r.kill, false},
		{"a follower", func() *devregion.Node { return others(region, r.leader(region))[0] }, r.kill, false},
		{"the leader, told to stop", func() *devregion.Node { return r.leader(region) }, r.stop, true},
	} {
		t.Run(victim.name, func(t *testing.T) {
			node := victim.choose()
			l := startLoad(t, r, region)
			victim.end(node)
			l.waitMore(30) // while it is away
			r.start(node)
			r.waitReady(node)
			l.waitMore(15) // with it back
			l.end()
			if victim.clean && l.unknown > 0 {
				t.Errorf("a clean stop left %d writes without an answer", l.unknown)
			}
			for _, n := range region.Nodes {
				l.checkAcknowledged(r.client(region, n))
			}
		})
	}

	t.Run("all at once", func(t *testing.T) {
		l := startLoad(t, r, region)
		l.waitMore(15)
		r.kill(region.Nodes...)
		l.stop()
		l.callers.Wait()
		t.Logf("%d decryptions, %d writes acknowledged", l.crypto.Load(), len(l.acknowledged))
		r.start(region.Nodes...)
		r.waitReady(region.Nodes...)
		for _, n := range region.Nodes {
			c := r.client(region, n)
			l.checkAcknowledged(c)
			got := must[cryptAnswer](t, c, "Decrypt", map[string]string{"CiphertextBlob": l.blob}).Plaintext
			if got != base64.StdEncoding.EncodeToString([]byte(loadPlaintext)) {
				t.Errorf("%s decrypts to something else", n.ID)
			}
		}
	})
}
