package api

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
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
//
// When the clock goes back, places of the ring are taken by epochs that are yet to come, and requests of the epochs
// that were dropped for them are refused until time is there again. That is right for half an hour. A clock that was
// further ahead was wrong, and must not keep the node from its work for as long as it was: what it left is dropped, and
// the floor refuses what may have been accepted before.
type nonceGuard struct {
	perKey, total int
	logger        *slog.Logger

	mu      sync.Mutex
	extents extents
	hashKey [16]byte
	ring    [nonceBuckets]nonceBucket
	newest  int64 // epoch of any bucket
	keys    map[string]*keyNonces
	told    time.Time // when it was last logged that a nonce cannot be kept
	scratch [16 + 1 + 128 + maxNonceBytes]byte

	floor atomic.Int64 // Unix seconds: requests dated before may have been forgotten
}

const (
	nonceBuckets = 16
	epochSeconds = 120 // twice NonceWindow, spread over 15 buckets beside the current one

	// aheadEpochs is how far a bucket or the floor may lie ahead of the clock, in epochs: 16 for what is right, and as
	// many for a clock that went back.
	aheadEpochs   = 2 * nonceBuckets
	windowSeconds = int64(NonceWindow / time.Second)

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
	// added notes what a slot that was taken adds to the sum of its table.
	added(id int, sum uint64)
	// taken notes the date of a request whose nonce was taken, in Unix seconds.
	taken(date int64)
	// setFloor notes the floor, in Unix seconds, and forgets dates behind it.
	setFloor(floor int64)
	close() error
}

type nonceConfig struct {
	path          string
	first         bool // the node never served before
	perKey, total int
	now           func() time.Time
	logger        *slog.Logger
	mmap          func(file *os.File, offset int64, size int) ([]byte, error) // default mapShared
	bootID        func() ([40]byte, error)                                    // default bootID
}

// openNonces opens the memory of nonces, in a file if there is a path.
func openNonces(cfg nonceConfig) (*nonceGuard, error) {
	g := &nonceGuard{perKey: cfg.perKey, total: cfg.total, logger: cfg.logger, keys: make(map[string]*keyNonces)}
	if cfg.path == "" {
		g.extents = &memoryExtents{}
		_, _ = rand.Read(g.hashKey[:]) // never fails
		return g, nil
	}
	f, err := openNonceFile(&cfg)
	if err != nil {
		return nil, fmt.Errorf("api: memory of nonces: %w", err)
	}
	g.extents, g.hashKey = f, f.hashKey()
	g.floor.Store(f.floor())
	now := cfg.now().Unix()
	tables, err := f.tables()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("api: memory of nonces: %s: %w", cfg.path, err), f.close())
	}
	for _, t := range tables {
		if g.restore(t) {
			continue
		}
		if !f.booted {
			cfg.logger.Warn("a table of nonces is damaged: crypto requests dated before now are refused", slog.String("event", "api.nonces_damaged"))
			g.setFloor(max(g.floor.Load(), now+1, f.head.latest+1)) // before the table goes: the process may be killed on the way
		}
		f.put(t.id)
	}
	if g.ahead(now) {
		g.comeBack(now)
	}
	return g, nil
}

// restore takes a table over from an earlier process, unless it is damaged: one that lost slots would grant their nonces
// again, and a full one has no end to look for. Of two epochs for one place in the ring the later one counts.
func (g *nonceGuard) restore(t storedTable) (whole bool) {
	table := newNonceTable(t.slots, t.id)
	if !t.whole || table.used > table.limit() {
		return false
	}
	b := &g.ring[t.epoch%nonceBuckets]
	switch {
	case t.epoch < b.epoch:
		g.extents.put(t.id)
		return true
	case t.epoch > b.epoch:
		g.drop(b)
		b.epoch = t.epoch
		g.newest = max(g.newest, t.epoch)
	}
	b.used += table.used
	b.tables = append(b.tables, table)
	return true
}

// nonceVerdict is what the guard says to a nonce.
type nonceVerdict uint8

const (
	nonceFresh     nonceVerdict = iota // not seen before, and taken now
	nonceUsed                          // seen before
	nonceKeyFull                       // the access key has as many as it may
	nonceFull                          // the node has
	nonceUnkept                        // the node cannot keep it: its disk is full or fails
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
	if g.ahead(nowSecond) {
		g.comeBack(nowSecond)
	}

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
		g.newest = max(g.newest, epoch)
		g.forgetKeys(nowEpoch)
	}
	key := g.key(accessKeyID)
	if key.live(nowEpoch) >= g.perKey {
		return nonceKeyFull
	}
	if err := g.room(b); err != nil {
		g.tellUnkept(err, now)
		if errors.Is(err, errNonceFileFull) {
			return nonceFull
		}
		return nonceUnkept
	}
	last := &b.tables[len(b.tables)-1]
	g.extents.added(last.id, last.add(h, second%epochSeconds))
	b.used++
	key.add(epoch)
	g.extents.taken(second - windowSeconds)
	return nonceFresh
}

// unkeptInterval is how often at most it is logged that nonces cannot be kept.
const unkeptInterval = time.Minute

// tellUnkept logs why a nonce cannot be kept: every request is refused for it.
func (g *nonceGuard) tellUnkept(err error, now time.Time) {
	if since := now.Sub(g.told); since >= 0 && since < unkeptInterval {
		return
	}
	g.told = now
	g.logger.Error("nonces cannot be kept: requests are refused", slog.String("event", "api.nonces_unkept"), slog.String("error", err.Error()))
}

// room makes sure that the last table of a bucket takes one more nonce.
func (g *nonceGuard) room(b *nonceBucket) error {
	slots := firstTable
	if n := len(b.tables); n > 0 {
		last := &b.tables[n-1]
		if last.used < last.limit() {
			return nil
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
		return err
	}
	b.tables = append(b.tables, newNonceTable(memory, id))
	return nil
}

// ahead reports whether the guard holds what only a clock that was wrong can have left.
func (g *nonceGuard) ahead(now int64) bool {
	last := now/epochSeconds + aheadEpochs
	return g.newest > last || g.floor.Load()/epochSeconds > last
}

// comeBack drops what lies too far ahead. Which nonces were dropped for it is not known: they were of requests that
// were accepted before now, and so dated no later than a window from now.
func (g *nonceGuard) comeBack(now int64) {
	last := now/epochSeconds + aheadEpochs
	floor := now + windowSeconds + 1
	if old := g.floor.Load(); old/epochSeconds <= last {
		floor = max(floor, old)
	}
	g.setFloor(floor) // first: the process may be killed on the way
	g.newest = 0
	for i := range g.ring {
		if g.ring[i].epoch > last {
			g.drop(&g.ring[i])
		}
		g.newest = max(g.newest, g.ring[i].epoch)
	}
	for _, k := range g.keys {
		k.dropAfter(last)
	}
	g.logger.Error("the clock went far back, and nonces may have been lost: crypto requests dated before the floor are refused",
		slog.String("event", "api.nonces_clock"), slog.Time("floor", time.Unix(floor, 0).UTC()))
}

func (g *nonceGuard) setFloor(floor int64) {
	g.floor.Store(floor)
	g.extents.setFloor(floor)
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

func (k *keyNonces) dropAfter(last int64) {
	for i, epoch := range k.epochs {
		if epoch > last {
			k.epochs[i], k.counts[i] = 0, 0
		}
	}
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

// beforeMemory reports whether the nonces of requests dated at that time may have been lost: with the power, when the
// host was started again, with the file, or with a clock that was wrong.
func (g *nonceGuard) beforeMemory(stamp time.Time) bool { return stamp.Unix() < g.floor.Load() }

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
