//go:build measure

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"meridian/cluster/api/client"
	"meridian/cmd/meridian/devregion"
	"meridian/crypto"
	"meridian/crypto/seal"
	"meridian/store"
	"meridian/store/storetest"
)

// How many keys, starts and calls the measurement makes.
const (
	manyKeys   = 1_000_000
	manyStarts = 7
	manyCalls  = 40_000
)

// BenchmarkMillionKeys starts one server without keys and with a million, and
// reports what a start, an idle life and a load over many keys cost:
//
//	go test -tags measure -run '^$' -bench MillionKeys -benchtime 1x -timeout 30m ./cmd/meridian
//
// It fails when memory or disk exceed what docs/performance.md promises. Times
// are reported only.
func BenchmarkMillionKeys(b *testing.B) {
	r := startRegions(b, 1, 1)
	node := r.layout.Nodes()[0]
	region := r.layout.Regions[0]
	key := makeKey(b, r.client(region))
	r.stop(node)

	empty := r.firstEncrypt(b, node, key)
	state := filepath.Join(node.DataDir, "state.db")
	fillState(b, filepath.Join(region.Dir, "root.key"), state)
	full := r.firstEncrypt(b, node, key)

	r.start(node)
	r.waitReady(node)
	c := r.client(region)
	loadManyKeys(b, c)
	anonymous := anonymousMemory(b, r.running[node].PID())
	info, err := os.Stat(state)
	if err != nil {
		b.Fatal(err)
	}
	r.stop(node)

	b.ReportMetric(0, "ns/op")
	b.ReportMetric(empty.Seconds(), "s-first-encrypt-empty")
	b.ReportMetric(full.Seconds(), "s-first-encrypt-million")
	b.ReportMetric((full - empty).Seconds(), "s-difference")
	b.ReportMetric(float64(anonymous)/1e6, "MB-anonymous")
	b.ReportMetric(float64(info.Size())/(1<<30), "GiB-disk")
	if anonymous > 150e6 {
		b.Errorf("%d bytes of anonymous memory after the load, at most 150 MB", anonymous)
	}
	if limit := 1.3 * float64(1<<30); float64(info.Size()) > limit {
		b.Errorf("state file of %d bytes, at most 1.3 GiB", info.Size())
	}
}

// firstEncrypt is the median time from the start of the process to its first
// successful Encrypt.
func (r *regions) firstEncrypt(b *testing.B, n *devregion.Node, key string) time.Duration {
	b.Helper()
	var times []time.Duration
	for range manyStarts {
		began := time.Now()
		r.start(n)
		for {
			c, err := devClient(r.layout.Regions[0], n)
			if err != nil {
				b.Fatal(err)
			}
			_, err = c.Do(b.Context(), "Encrypt", map[string]string{"KeyId": key, "Plaintext": "aGVsbG8="}, new(cryptAnswer))
			c.Close()
			if err == nil {
				break
			}
			if time.Since(began) > patience {
				b.Fatal(err)
			}
			time.Sleep(2 * time.Millisecond)
		}
		times = append(times, time.Since(began))
		r.stop(n)
	}
	slices.Sort(times)
	return times[len(times)/2]
}

// fillState adds the keys to a stopped server's state, sealed as it would.
func fillState(b *testing.B, rootKey, state string) {
	b.Helper()
	s, err := store.Open(store.Config{Path: state})
	if err != nil {
		b.Fatal(err)
	}
	v, err := s.View()
	if err != nil {
		b.Fatal(err)
	}
	region, ok := v.Region()
	v.Close()
	if err := s.Close(); err != nil || !ok {
		b.Fatal(ok, err)
	}
	provider, err := seal.OpenFile(rootKey)
	if err != nil {
		b.Fatal(err)
	}
	defer provider.Close()
	k := region.Keyrings[0]
	text, err := provider.Unwrap(b.Context(), seal.Wrapped{Provider: k.Provider, KeyID: k.KeyID, Ciphertext: k.Ciphertext},
		seal.KeyringAAD(region.Region, region.ClusterID))
	if err != nil {
		b.Fatal(err)
	}
	defer text.Wipe()
	ring, err := crypto.ParseKeyring(text)
	if err != nil {
		b.Fatal(err)
	}
	defer ring.Close()
	began := time.Now()
	if err := storetest.Fill(state, manyKeys, ring.Wrap); err != nil {
		b.Fatal(err)
	}
	b.Logf("%d keys filled in %v", manyKeys, time.Since(began))
}

// loadManyKeys encrypts and decrypts under keys from all over the state.
func loadManyKeys(b *testing.B, c *client.Client) {
	b.Helper()
	const callers, pages = 8, 100
	var ids []string
	for page := range pages {
		var answer struct {
			TotalCount int
			Keys       struct{ Key []struct{ KeyId string } }
		}
		params := map[string]string{"PageNumber": strconv.Itoa(1 + page*manyKeys/100/pages), "PageSize": "100"}
		if _, err := c.Do(b.Context(), "ListKeys", params, &answer); err != nil {
			b.Fatal(err)
		}
		if answer.TotalCount != manyKeys+1 {
			text, _ := json.Marshal(answer.TotalCount)
			b.Fatalf("the region counts %s keys", text)
		}
		for _, k := range answer.Keys.Key {
			ids = append(ids, k.KeyId)
		}
	}
	var wg sync.WaitGroup
	failed := make(chan error, callers)
	for i := range callers {
		wg.Go(func() {
			for n := i; n < manyCalls/2; n += callers {
				var sealed, opened cryptAnswer
				params := map[string]string{"KeyId": ids[n*7919%len(ids)], "Plaintext": "aGVsbG8="}
				if _, err := c.Do(b.Context(), "Encrypt", params, &sealed); err != nil {
					failed <- err
					return
				}
				if _, err := c.Do(b.Context(), "Decrypt", map[string]string{"CiphertextBlob": sealed.CiphertextBlob}, &opened); err != nil {
					failed <- err
					return
				}
				if opened.Plaintext != "aGVsbG8=" {
					failed <- fmt.Errorf("decrypted %q", opened.Plaintext)
					return
				}
			}
		})
	}
	wg.Wait()
	close(failed)
	for err := range failed {
		b.Fatal(err)
	}
}

// anonymousMemory is RssAnon of a process in bytes: without the page cache that
// the state file is mapped from.
func anonymousMemory(b *testing.B, pid int) int64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			if err != nil {
				b.Fatal(err)
			}
			return kb * 1024
		}
	}
	b.Fatal("no RssAnon")
	return 0
}
