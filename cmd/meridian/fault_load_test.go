package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"meridian/cluster/api/client"
	"meridian/cmd/meridian/devregion"
)

// load keeps calling a region while faults happen and remembers what it was
// told. Each caller has a first endpoint of its own; a refused connection sends
// it to the next one.
type load struct {
	t      *testing.T
	region *devregion.Region
	keyID  string
	blob   string // opens to loadPlaintext

	stop    context.CancelFunc
	callers sync.WaitGroup
	crypto  atomic.Int64 // answered
	writes  atomic.Int64
	late    atomic.Int64 // calls refused for want of time, where that is no failure

	mu           sync.Mutex
	acknowledged []string // aliases
	unknown      int      // writes whose outcome nobody could tell
	failures     []string
}

const loadPlaintext = "under load"

// startLoad starts one caller of cryptography and one writer for each node, and
// waits until all of them have been answered.
func startLoad(t *testing.T, r *regions, region *devregion.Region) *load {
	t.Helper()
	l := &load{t: t, region: region}
	c := r.client(region)
	l.keyID = makeKey(t, c)
	l.blob = must[cryptAnswer](t, c, "Encrypt", map[string]string{
		"KeyId": l.keyID, "Plaintext": base64.StdEncoding.EncodeToString([]byte(loadPlaintext)),
	}).CiphertextBlob

	ctx, cancel := context.WithCancel(t.Context())
	l.stop = cancel
	t.Cleanup(func() { cancel(); l.callers.Wait() })
	for i := range region.Nodes {
		order := append(append([]*devregion.Node{}, region.Nodes[i:]...), region.Nodes[:i]...)
		reader, writer := r.client(region, order...), r.client(region, order...)
		l.callers.Go(func() { l.decrypt(ctx, reader) })
		l.callers.Go(func() { l.write(ctx, writer, fmt.Sprintf("alias/%s/%d-", l.keyID, i)) })
	}
	l.waitMore(10)
	return l
}

// pause is how long a caller rests between calls: the machine is small, and the
// load is there to be hit, not to fill it.
const pause = 3 * time.Millisecond

func (l *load) decrypt(ctx context.Context, c *client.Client) {
	want := base64.StdEncoding.EncodeToString([]byte(loadPlaintext))
	for ctx.Err() == nil {
		began := time.Now()
		var got cryptAnswer
		_, err := c.Do(ctx, "Decrypt", map[string]string{"CiphertextBlob": l.blob}, &got)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !l.wasLate(err):
			l.fail("Decrypt failed after %s: %v", time.Since(began), err)
		case err != nil:
		case got.Plaintext != want:
			l.fail("Decrypt answered another plaintext")
		}
		l.crypto.Add(1)
		time.Sleep(pause)
	}
}

func (l *load) write(ctx context.Context, c *client.Client, prefix string) {
	for i := 0; ctx.Err() == nil; i++ {
		began := time.Now()
		name := fmt.Sprintf("%s%d", prefix, i)
		_, err := c.Do(ctx, "CreateAlias", map[string]string{"KeyId": l.keyID, "AliasName": name}, nil)
		late := l.wasLate(err)
		l.mu.Lock()
		switch {
		case err == nil:
			l.acknowledged = append(l.acknowledged, name)
		case ctx.Err() != nil:
		case errors.Is(err, client.ErrOutcomeUnknown):
			// The node that had taken it was killed before it answered.
			l.unknown++
		case late:
		default:
			l.failures = append(l.failures, fmt.Sprintf("CreateAlias failed after %s: %v", time.Since(began), err))
		}
		l.mu.Unlock()
		l.writes.Add(1)
		time.Sleep(pause)
	}
}

// wasLate says, and counts, that a call failed only because elections took longer
// than leases last, or than writes are held, on a machine that is too slow for
// them (hasty).
func (l *load) wasLate(err error) bool {
	var refused *client.Error
	late := !hasty && errors.As(err, &refused) && (refused.Code == "ServiceUnavailableTemporary" || refused.Code == "InternalFailure")
	if late {
		l.late.Add(1)
	}
	return late
}

func (l *load) fail(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures = append(l.failures, fmt.Sprintf(format, args...))
}

// waitMore waits until n more calls of each kind have ended: only what overlaps
// a fault counts.
func (l *load) waitMore(n int64) {
	l.t.Helper()
	crypto, writes := l.crypto.Load()+n, l.writes.Load()+n
	if !eventually(func() bool { return l.crypto.Load() >= crypto && l.writes.Load() >= writes }) {
		l.t.Fatalf("the load stands still: %d more decryptions and %d more writes were waited for", n, n)
	}
}

// end stops the callers and reports calls that failed.
func (l *load) end() {
	l.t.Helper()
	l.stop()
	l.callers.Wait()
	for i, f := range l.failures {
		if i == 5 {
			l.t.Errorf("... and %d more", len(l.failures)-i)
			break
		}
		l.t.Error(f)
	}
	l.t.Logf("%d decryptions, %d writes acknowledged, %d unknown, %d calls too late", l.crypto.Load(), len(l.acknowledged), l.unknown, l.late.Load())
}

// checkAcknowledged wants every acknowledged alias to be there.
func (l *load) checkAcknowledged(c *client.Client) {
	l.t.Helper()
	there := map[string]bool{}
	for page := 1; ; page++ {
		answer := must[struct {
			Aliases    struct{ Alias []struct{ AliasName string } }
			TotalCount int
		}](l.t, c, "ListAliases", map[string]string{"PageNumber": fmt.Sprint(page), "PageSize": "100"})
		for _, a := range answer.Aliases.Alias {
			there[a.AliasName] = true
		}
		if page*100 >= answer.TotalCount {
			break
		}
	}
	lost := 0
	for _, name := range l.acknowledged {
		if !there[name] {
			lost++
		}
	}
	if lost > 0 {
		l.t.Errorf("%d of %d acknowledged writes are lost", lost, len(l.acknowledged))
	}
}
