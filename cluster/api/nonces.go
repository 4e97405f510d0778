package api

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// nonceGuard remembers which nonces each access key has used, until the requests that carried them are out of the time
// window. It never forgets one early: when it is full, requests are refused.
//
// Requests may be dated 15 minutes either way, so a nonce lives until between now and 30 minutes from now. Time is cut
// into epochs of 2 minutes; 16 buckets, each for the nonces that expire in one epoch, cover that span exactly, and a
// bucket is dropped whole when its place in the ring is needed for an epoch 32 minutes later. A nonce is looked up in
// every live bucket, for it may come back with another time.
//
// A bucket is a row of hash tables that double in size and are never rehashed, so that no request waits for a large
// copy. A slot holds a keyed 57-bit hash of access key and nonce, and the second of its epoch at which it expires: two
// different nonces are taken for one with a chance of about n/2^57 for n live ones.
type nonceGuard struct {
	perKey, total int

	mu      sync.Mutex
	extents extents
	hashKey [16]byte
	ring    [nonceBuckets]nonceBucket
	keys    map[string]*keyNonces
	floor   int64 // requests dated before this second may have been forgotten
	scratch [16 + 1 + 128 + maxNonceBytes]byte
}

const (
	nonceBuckets = 16
	epochSeconds = 120 // twice NonceWindow, spread over 15 buckets beside the current one

	firstTable   = 16 << 10 // slots, 128 KiB
	largestGuess = 1 << 20  // slots of a bucket's first table, at most
)

// nonceBucket holds the nonces that expire in one epoch.
type nonceBucket struct {
	epoch  int64
	used   int
	tables []nonceTable // the last one takes new nonces
}

// keyNonces counts the nonces of one access key. Counts start again with the process; the total does not.
type keyNonces struct {
	epochs [nonceBuckets]int64
	counts [nonceBuckets]int
}

// extents is where the tables lie.
type extents interface {
	// get returns zeroed slots for an epoch, and a number by which to give them back.
	get(slots int, epoch int64) (memory []uint64, id int, err error)
	put(id int)
	// seen notes the time of the latest use, in Unix seconds.
	seen(second int64)
	close() error
}

type nonceConfig struct {
	path          string
	perKey, total int
	now           func() time.Time
	logger        *slog.Logger
}

// openNonces opens the memory of nonces, in a file if there is a path.
func openNonces(cfg nonceConfig) (*nonceGuard, error) {
	g := &nonceGuard{perKey: cfg.perKey, total: cfg.total, keys: make(map[string]*keyNonces)}
	if cfg.path == "" {
		g.extents = &memoryExtents{}
		_, _ = rand.Read(g.hashKey[:]) // never fails
		return g, nil
	}
	f, err := openNonceFile(cfg.path, cfg.now(), cfg.logger)
	if err != nil {
		return nil, fmt.Errorf("api: memory of nonces: %w", err)
	}
	g.extents, g.hashKey, g.floor = f, f.hashKey(), f.floor()
	for _, t := range f.tables() {
		g.restore(t)
	}
	return g, nil
}

// restore takes a table over from an earlier process. Of two epochs for one place in the ring the later one counts.
func (g *nonceGuard) restore(t storedTable) {
	b := &g.ring[t.epoch%nonceBuckets]
	switch {
	case t.epoch < b.epoch:
		g.extents.put(t.id)
		return
	case t.epoch > b.epoch:
		g.drop(b)
		b.epoch = t.epoch
	}
	table := newNonceTable(t.slots, t.id)
	b.used += table.used
	b.tables = append(b.tables, table)
}

// nonceVerdict is what the guard says to a nonce.
type nonceVerdict uint8

const (
	nonceFresh     nonceVerdict = iota // not seen before, and taken now
	nonceUsed                          // seen before
	nonceKeyFull                       // the access key has as many as it may
	nonceFull                          // the node has, or its disk is full
	nonceForgotten                     // of a time whose nonces are dropped: the clock went back
)

// use judges a nonce and takes it if it is fresh. It counts until the second of expires has passed.
func (g *nonceGuard) use(accessKeyID, nonce string, expires, now time.Time) nonceVerdict {
	g.mu.Lock()
	defer g.mu.Unlock()
	h := g.hash(accessKeyID, nonce)
	second, epoch := expires.Unix(), expires.Unix()/epochSeconds
	nowSecond := now.Unix()
	nowEpoch := nowSecond / epochSeconds

	live := 0
	for i := range g.ring {
		b := &g.ring[i]
		if b.epoch < nowEpoch {
			continue
		}
		live += b.used
		oldest := int64(0)
		if b.epoch == nowEpoch {
			oldest = nowSecond % epochSeconds
		}
		for t := range b.tables {
			if b.tables[t].has(h, oldest) {
				return nonceUsed
			}
		}
	}
	b := &g.ring[epoch%nonceBuckets]
	switch {
	case b.epoch > epoch:
		return nonceForgotten
	case live >= g.total:
		return nonceFull
	}
	if b.epoch < epoch {
		g.drop(b)
		b.epoch = epoch
		g.forgetKeys(nowEpoch)
	}
	key := g.key(accessKeyID)
	if key.live(nowEpoch) >= g.perKey {
		return nonceKeyFull
	}
	if !g.room(b) {
		return nonceFull
	}
	b.tables[len(b.tables)-1].add(h, second%epochSeconds)
	b.used++
	key.add(epoch)
	g.extents.seen(nowSecond)
	return nonceFresh
}

// room makes sure that the last table of a bucket takes one more nonce.
func (g *nonceGuard) room(b *nonceBucket) bool {
	slots := firstTable
	if n := len(b.tables); n > 0 {
		last := &b.tables[n-1]
		if last.used < last.limit() {
			return true
		}
		slots = 2 * len(last.slots)
	} else {
		// The traffic of the next two minutes is likely that of the last ones.
		for i := range g.ring {
			for slots < largestGuess && slots*5/8 < g.ring[i].used {
				slots *= 2
			}
		}
	}
	memory, id, err := g.extents.get(slots, b.epoch)
	if err != nil {
		return false
	}
	b.tables = append(b.tables, newNonceTable(memory, id))
	return true
}

// drop forgets a bucket.
func (g *nonceGuard) drop(b *nonceBucket) {
	for i := range b.tables {
		g.extents.put(b.tables[i].id)
	}
	*b = nonceBucket{tables: b.tables[:0]}
}

// key returns the counts of an access key.
func (g *nonceGuard) key(accessKeyID string) *keyNonces {
	k, ok := g.keys[accessKeyID]
	if !ok {
		k = new(keyNonces)
		g.keys[strings.Clone(accessKeyID)] = k
	}
	return k
}

// forgetKeys drops access keys without live nonces.
func (g *nonceGuard) forgetKeys(nowEpoch int64) {
	for id, k := range g.keys {
		if k.live(nowEpoch) == 0 {
			delete(g.keys, id)
		}
	}
}

func (k *keyNonces) live(nowEpoch int64) (n int) {
	for i, epoch := range k.epochs {
		if epoch >= nowEpoch {
			n += k.counts[i]
		}
	}
	return n
}

func (k *keyNonces) add(epoch int64) {
	i := epoch % nonceBuckets
	if k.epochs[i] != epoch {
		k.epochs[i], k.counts[i] = epoch, 0
	}
	k.counts[i]++
}

// nonceHash is where a nonce is looked for, and what is found there.
type nonceHash struct {
	index uint64
	tag   uint64 // 57 bits, never zero
}

// hash is keyed, so that nobody can choose nonces that crowd one place.
func (g *nonceGuard) hash(accessKeyID, nonce string) nonceHash {
	text := append(g.scratch[:0], g.hashKey[:]...)
	text = append(text, byte(len(accessKeyID)))
	text = append(text, accessKeyID...)
	text = append(text, nonce...)
	sum := sha256.Sum256(text)
	tag := binary.LittleEndian.Uint64(sum[8:]) >> secondBits
	return nonceHash{index: binary.LittleEndian.Uint64(sum[:]), tag: max(tag, 1)}
}

// beforeMemory reports whether the nonces of requests dated at that time may have been lost, because the host was
// started again (power may have failed before they reached the disk).
func (g *nonceGuard) beforeMemory(stamp time.Time) bool { return stamp.Unix() < g.floor }

// live counts the nonces in memory, with those of the last epoch that is over.
func (g *nonceGuard) live() (n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range g.ring {
		n += g.ring[i].used
	}
	return n
}

func (g *nonceGuard) close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.extents.close()
}
