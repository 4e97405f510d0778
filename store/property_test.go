package store

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"meridian/store/storepb"
)

// Applying is deterministic: the same entries give the same results and the
// same state hash, in batches or one by one, with and without reopening the
// file in between.
func TestApplyIsDeterministic(t *testing.T) {
	empty := compacted(t, emptyStore(t))
	rapid.Check(t, func(rt *rapid.T) {
		batched, single := openedStore(t, empty), openedStore(t, empty)
		defer batched.store.Close()
		defer single.store.Close()
		entries := drawEntries(rt, batched)
		var together, alone []*storepb.Result
		for rest := entries; len(rest) > 0; {
			n := rapid.IntRange(1, min(16, len(rest))).Draw(rt, "batch")
			results, err := batched.store.Apply(rest[:n])
			if err != nil {
				rt.Fatal(err)
			}
			together, rest = append(together, results...), rest[n:]
			if rapid.IntRange(0, 9).Draw(rt, "reopen") == 0 {
				batched.reopen()
			}
		}
		for _, e := range entries {
			results, err := single.store.Apply([]Entry{e})
			if err != nil {
				rt.Fatal(err)
			}
			alone = append(alone, results...)
		}
		for i := range entries {
			if !proto.Equal(together[i], alone[i]) {
				rt.Fatalf("entry %d: %v in a batch, %v alone", entries[i].Index, together[i], alone[i])
			}
		}
		if a, b := batched.hash(), single.hash(); a != b {
			rt.Fatalf("state hash %x in batches, %x alone", a, b)
		}
		batched.read(func(a *View) {
			single.read(func(b *View) {
				if !proto.Equal(a.state, b.state) {
					rt.Fatalf("state in batches: %v\nalone: %v", a.state, b.state)
				}
			})
		})
		batched.check()
		single.check()
	})
}

// drawEntries draws a history over a handful of keys, names and nonces, so
// that commands meet: repeated ids, used nonces, wrong states, stamps that go
// back and leap.
func drawEntries(rt *rapid.T, r *region) []Entry {
	commands := []*storepb.Command{r.command(initRegion())}
	if rapid.Bool().Draw(rt, "keys") { // of each kind, or what comes of drawn ones
		for _, body := range []any{createKey(1), rotateKey(1, 1, 11), createPair(2), importKey(3), createToken(3, 1), importMaterial(3, 1), importKey(4), createToken(4, 2)} {
			commands = append(commands, r.command(body))
		}
	}
	for range rapid.IntRange(5, 40).Draw(rt, "commands") {
		r.stamp += rapid.SampledFrom([]int64{0, 0, 1, -1, 1000, minuteMs, resultMs, 7 * dayMs, 30 * dayMs}).Draw(rt, "stamp")
		if rapid.IntRange(0, 7).Draw(rt, "repeat") == 0 {
			again := proto.CloneOf(rapid.SampledFrom(commands).Draw(rt, "which"))
			again.StampUnixMs = r.stamp // the leader stamps anew
			commands = append(commands, again)
			continue
		}
		c := r.command(drawBody(rt))
		if rapid.Bool().Draw(rt, "nonce") {
			c.Nonce = &storepb.Nonce{
				AccessKeyId:   rapid.SampledFrom([]string{"", "AK1", "AK2"}).Draw(rt, "access key"),
				Nonce:         fmt.Sprint(rapid.IntRange(0, 5).Draw(rt, "nonce value")),
				ExpiresUnixMs: r.stamp + rapid.SampledFrom([]int64{-1, 0, 1, minuteMs, 30 * minuteMs, 1 << 50}).Draw(rt, "expires"),
			}
		}
		commands = append(commands, c)
	}
	var entries []Entry
	for _, c := range commands {
		entries = append(entries, r.entry(c))
		if rapid.IntRange(0, 19).Draw(rt, "configuration") == 0 {
			r.index++
			entries = append(entries, Entry{Index: r.index, Term: 2, Kind: Configuration, Data: []byte{byte(r.index)}})
		}
	}
	return entries
}

func drawBody(rt *rapid.T) any {
	n := rapid.IntRange(1, 4).Draw(rt, "key")
	name := rapid.SampledFrom([]string{"alias/a", "alias/b", "alias/c", ""}).Draw(rt, "name")
	limit := rapid.SampledFrom([]uint64{0, 0, 1, 3}).Draw(rt, "limit")
	switch rapid.IntRange(0, 29).Draw(rt, "body") {
	case 0, 1:
		c := createKey(n)
		c.Limit, c.VersionLimit = limit, rapid.SampledFrom([]uint64{0, 0, 3}).Draw(rt, "version limit")
		c.RotationIntervalMs = rapid.SampledFrom([]int64{0, 7 * dayMs, -1}).Draw(rt, "interval")
		if rapid.Bool().Draw(rt, "policy") {
			c.Policy = "{}"
			c.Tags = []*storepb.Tag{{Key: "a", Value: "1"}, {Key: "b"}}
		}
		return c
	case 2:
		return importKey(n)
	case 3:
		return &storepb.EnableKey{KeyId: idOf(n)}
	case 4:
		return &storepb.DisableKey{KeyId: idOf(n)}
	case 5, 6:
		return &storepb.ScheduleKeyDeletion{KeyId: idOf(n), Days: rapid.SampledFrom([]uint32{7, 30, 0}).Draw(rt, "days")}
	case 7:
		return &storepb.CancelKeyDeletion{KeyId: idOf(n)}
	case 8:
		return &storepb.UpdateKeyDescription{KeyId: idOf(n), Description: name}
	case 9:
		return &storepb.CreateAlias{Name: name, KeyId: idOf(n), Limit: limit}
	case 10:
		return &storepb.UpdateAlias{Name: name, KeyId: idOf(n)}
	case 11:
		return &storepb.DeleteAlias{Name: name}
	case 12:
		from := rapid.SampledFrom([]int{n, 10 + n}).Draw(rt, "from")
		c := rotateKey(n, from, drawVersion(rt, n))
		c.Replaces = rapid.SampledFrom([][]byte{nil, nil, versionOf(10 + n), versionOf(15)}).Draw(rt, "replaces")
		return c
	case 13:
		return &storepb.DestroyKeys{KeyIds: [][]byte{idOf(n), idOf(n%4 + 1)}}
	case 14, 15:
		return switchTo(n, drawVersion(rt, n))
	case 16:
		return createPair(n)
	case 17:
		c := addPair(2, drawVersion(rt, n))
		c.Limit, c.RegionLimit = uint32(limit), limit
		c.MinIntervalMs = rapid.SampledFrom([]int64{0, dayMs}).Draw(rt, "distance")
		return c
	case 18:
		return &storepb.SetDeletionProtection{KeyId: idOf(n), Enabled: rapid.Bool().Draw(rt, "enabled"), Description: name}
	case 19:
		return &storepb.UpdateRotationPolicy{KeyId: idOf(n), IntervalMs: rapid.SampledFrom([]int64{0, 7 * dayMs, -1}).Draw(rt, "interval")}
	case 20:
		return &storepb.SetKeyPolicy{KeyId: idOf(n), Policy: rapid.SampledFrom([]string{"", "{}"}).Draw(rt, "policy")}
	case 21:
		c := tagging([]int{n, n%4 + 1}, rapid.SampledFrom([][]string{{"a=1"}, {"a=2", "c=1"}, {"b"}, {"b", "b"}}).Draw(rt, "tags")...)
		c.Limit = uint32(limit)
		return c
	case 22:
		return untagging([]int{n}, rapid.SampledFrom([][]string{nil, {"a"}, {"b", "c"}}).Draw(rt, "tag keys")...)
	case 23:
		c := createToken(drawImported(rt), rapid.IntRange(1, 4).Draw(rt, "token"))
		c.Limit = limit
		return c
	case 24, 25:
		n := drawImported(rt)
		c := importMaterial(n, rapid.IntRange(1, 4).Draw(rt, "token"))
		c.VersionId = versionOf(rapid.SampledFrom([]int{n, n, n, 10 + n}).Draw(rt, "version"))
		c.Fingerprint = fingerprint(rapid.SampledFrom([]int{n, n, n, 9}).Draw(rt, "fingerprint"))
		c.ExpiresMs = rapid.SampledFrom([]int64{0, baseStamp, baseStamp + 30*dayMs, maxStampMs}).Draw(rt, "expires")
		return c
	case 26:
		return &storepb.DeleteKeyMaterial{KeyId: idOf(drawImported(rt))}
	case 28:
		return &storepb.UseImportToken{KeyId: idOf(drawImported(rt)), TokenHash: hashOf(rapid.IntRange(1, 4).Draw(rt, "token"))}
	case 29:
		return addTransportKey(rapid.SampledFrom([]int{0, 1, 2}).Draw(rt, "transport"))
	case 27:
		return &storepb.ExpireKeyMaterial{KeyIds: [][]byte{idOf(n), idOf(n%4 + 1)}}
	}
	panic("no such body")
}

// drawVersion draws a version to add to a key, or to switch to: often the same.
func drawVersion(rt *rapid.T, key int) int {
	return rapid.SampledFrom([]int{10 + key, 10 + key, 15}).Draw(rt, "version")
}

// drawImported draws a key that may have its material imported.
func drawImported(rt *rapid.T) int { return rapid.SampledFrom([]int{3, 4, 4, 1}).Draw(rt, "imported") }
