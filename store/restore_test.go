package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"meridian/store/storepb"
)

// snapshot returns the bytes of a snapshot of the state as it is.
func (r *region) snapshot() []byte {
	r.t.Helper()
	sn, err := r.store.Snapshot()
	if err != nil {
		r.t.Fatal(err)
	}
	defer sn.Release()
	var out bytes.Buffer
	if err := sn.Persist(&out); err != nil {
		r.t.Fatal(err)
	}
	return out.Bytes()
}

func (r *region) restore(data []byte) error { return r.store.Restore(bytes.NewReader(data)) }

// A snapshot is restored beside readers: the old view stays what it was, and a
// new one shows the new state before the old one is closed.
func TestRestore(t *testing.T) {
	a := newRegion(t)
	for n := range 50 {
		a.ok(createKey(n))
	}
	a.ok(&storepb.CreateAlias{Name: "alias/a", KeyId: idOf(7)})
	data, hash := a.snapshot(), a.hash()
	index, term := a.store.Applied()

	b := emptyStore(t)
	old, err := b.store.View()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- b.restore(data) }()
	for now := uint64(0); now == 0; now, _ = b.store.Applied() {
		if len(done) > 0 {
			t.Fatal(<-done)
		}
	}
	if _, err := old.Key(id(7)); !errors.Is(err, ErrKeyNotFound) {
		t.Errorf("the view of before: %v", err)
	}
	b.key(id(7))
	old.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}

	if nowIndex, nowTerm := b.store.Applied(); nowIndex != index || nowTerm != term || b.hash() != hash {
		t.Errorf("applied %d, term %d, hash %x; want %d, %d, %x", nowIndex, nowTerm, b.hash(), index, term, hash)
	}
	b.check()
	b.index, b.ids, b.stamp = a.index, a.ids, a.stamp
	b.ok(createKey(60))
	a.ok(createKey(60))
	if a.hash() != b.hash() {
		t.Error("the restored state takes another way than the original")
	}
	b.reopen()
	b.key(id(60))
	b.check()
}

// A snapshot of a build that had no import tokens is completed; one that has lost
// them is damaged.
func TestRestoreCompletesAnOlderSnapshot(t *testing.T) {
	for _, tokens := range []int{0, 1} {
		a := newRegion(t)
		a.ok(importKey(1))
		for n := range tokens {
			a.ok(createToken(1, n))
		}
		hash := a.hash()
		var trailer *storepb.SnapshotTrailer
		a.read(func(v *View) { trailer = (&Snapshot{v}).trailer(0) })
		database := compacted(t, a)
		path := filepath.Join(t.TempDir(), "older.db")
		if err := os.WriteFile(path, database, 0o600); err != nil {
			t.Fatal(err)
		}
		dropTokens(t, path)
		database, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		trailer.DatabaseBytes = uint64(len(database))

		b := emptyStore(t)
		err = b.restore(assemble(t, database, trailer))
		if tokens > 0 {
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("without its tokens: %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if b.hash() != hash {
			t.Error("the state is another one")
		}
		b.check()
		b.index, b.ids = a.index, a.ids
		b.ok(createToken(1, 1))
		b.reopen()
		b.ok(importMaterial(1, 1))
		b.check()
	}
}

// A snapshot carries tokens and what waits to be done.
func TestSnapshotCarriesWhatIsDue(t *testing.T) {
	a := newRegion(t)
	a.ok(createKey(1))
	a.ok(rotateKey(1, 1, 100))
	a.imported(2, 2)
	a.reimport(2, 3, func(c *storepb.ImportKeyMaterial) { c.ExpiresMs = a.stamp + dayMs })
	a.ok(createToken(2, 4))
	data := a.snapshot()
	b := emptyStore(t)
	if err := b.restore(data); err != nil {
		t.Fatal(err)
	}
	b.check()
	b.index, b.ids, b.stamp = a.index, a.ids, a.stamp
	for _, r := range []*region{a, b} {
		r.ok(switchTo(1, 100))
		r.stamp += dayMs
		if result := r.ok(&storepb.ExpireKeyMaterial{KeyIds: [][]byte{idOf(2)}}); len(result.Expired) != 1 {
			t.Errorf("expired: %x", result.Expired)
		}
		r.refused(storepb.Code_TOKEN_EXPIRED, importMaterial(2, 4))
		r.stamp += tokenRestMs
		r.refused(storepb.Code_TOKEN_UNKNOWN, importMaterial(2, 4))
		r.check()
	}
	if a.hash() != b.hash() {
		t.Error("the restored state takes another way than the original")
	}
}

// A snapshot shows the state at its index, whatever is written while it is
// taken and persisted.
func TestSnapshotWhileWriting(t *testing.T) {
	a := newRegion(t)
	for n := range 200 {
		a.ok(createKey(n))
	}
	hash := a.hash()
	index, _ := a.store.Applied()
	sn, err := a.store.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	out, in := io.Pipe()
	go func() {
		in.CloseWithError(sn.Persist(in))
		sn.Release()
	}()
	var data bytes.Buffer
	for n := 200; ; n++ { // a write for each piece that is read
		a.ok(createKey(n))
		if _, err := io.CopyN(&data, out, 4096); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	b := emptyStore(t)
	if err := b.restore(data.Bytes()); err != nil {
		t.Fatal(err)
	}
	if now, _ := b.store.Applied(); now != index || b.hash() != hash {
		t.Errorf("applied %d, hash %x; want %d, %x", now, b.hash(), index, hash)
	}
	a.check()
}

// State of one data epoch only goes forward.
func TestOldSnapshotIsSkipped(t *testing.T) {
	a := newRegion(t)
	a.ok(createKey(1))
	old := a.snapshot()
	a.ok(&storepb.DisableKey{KeyId: idOf(1)})
	same := a.snapshot()
	for name, data := range map[string][]byte{"older": old, "the same": same} {
		if err := a.restore(data); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if k := a.key(id(1)); k.State != Disabled {
			t.Errorf("%s: the key is %s again", name, k.State)
		}
		if _, err := os.Stat(a.path + newSuffix); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the incomplete file stays: %v", name, err)
		}
	}
	a.ok(createKey(2))
}

// A snapshot of another data epoch was restored by a user: it may go back.
func TestSnapshotOfANewEpochIsTaken(t *testing.T) {
	user := emptyStore(t)
	init := initRegion()
	init.DataEpoch = []byte("data epoch 00002")
	user.ok(init)
	a := newRegion(t)
	for n := range 5 {
		a.ok(createKey(n))
	}
	if err := a.restore(user.snapshot()); err != nil {
		t.Fatal(err)
	}
	if now, _ := a.store.Applied(); now != 1 {
		t.Errorf("applied %d", now)
	}
	a.read(func(v *View) {
		if _, err := v.Key(id(1)); !errors.Is(err, ErrKeyNotFound) { // the memo forgot as well
			t.Error(err)
		}
	})
}

// Whatever is no complete snapshot of this region is refused, and the state
// stays as it was.
func TestBadSnapshotsAreRefused(t *testing.T) {
	source := newRegion(t)
	for n := range 5 {
		source.ok(createKey(n))
	}
	good := source.snapshot()
	size := int(binary.BigEndian.Uint64(good[8:]))
	database := good[16 : 16+size]
	var trailer storepb.SnapshotTrailer
	if err := proto.Unmarshal(good[16+size+4:len(good)-sha256.Size], &trailer); err != nil {
		t.Fatal(err)
	}
	if again := assemble(t, database, &trailer); !bytes.Equal(again, good) {
		t.Fatal("the test does not know the format")
	}
	foreign := emptyStore(t)
	init := initRegion()
	init.ClusterId = []byte("cluster id 00002")
	foreign.ok(init)
	for n := range 9 {
		foreign.ok(createKey(n))
	}
	altered := func(change func(*storepb.SnapshotTrailer)) []byte {
		other := proto.CloneOf(&trailer)
		change(other)
		return assemble(t, database, other)
	}
	rotten := bytes.Clone(database)
	for at := len(rotten); at >= 0; at = bytes.LastIndex(rotten[:at], material(3)) { // free pages hold it too
		if at < len(rotten) {
			rotten[at+20] ^= 1
		}
	}
	type bad struct {
		name string
		data []byte
		want error
	}
	cases := []bad{
		{"nothing", nil, ErrSnapshot},
		{"another format", append([]byte("MERISNP2"), good[8:]...), ErrSnapshot},
		{"longer", append(bytes.Clone(good), 0), ErrSnapshot},
		{"foreign", foreign.snapshot(), ErrForeignSnapshot},
		{"huge size", binary.BigEndian.AppendUint64([]byte(snapshotMagic), 1<<63), ErrSnapshot},
		{"trailer with another index", altered(func(t *storepb.SnapshotTrailer) { t.AppliedIndex++ }), ErrSnapshot},
		{"trailer with another term", altered(func(t *storepb.SnapshotTrailer) { t.AppliedTerm++ }), ErrSnapshot},
		{"trailer with another hash", altered(func(t *storepb.SnapshotTrailer) { t.StateHash = bytes.Repeat([]byte{1}, 32) }), ErrSnapshot},
		{"trailer with another level", altered(func(t *storepb.SnapshotTrailer) { t.FeatureLevel = 0 }), ErrSnapshot},
		{"trailer with another epoch", altered(func(t *storepb.SnapshotTrailer) { t.DataEpoch = nil }), ErrSnapshot},
		{"trailer with another size", altered(func(t *storepb.SnapshotTrailer) { t.DatabaseBytes-- }), ErrSnapshot},
		{"trailer of another cluster", altered(func(t *storepb.SnapshotTrailer) { t.ClusterId = []byte("x") }), ErrForeignSnapshot},
		{"no database", assemble(t, nil, &storepb.SnapshotTrailer{AppliedIndex: 100}), ErrDamaged},
		{"half a database", assemble(t, database[:len(database)/2], func() *storepb.SnapshotTrailer {
			other := proto.CloneOf(&trailer)
			other.DatabaseBytes = uint64(len(database) / 2)
			return other
		}()), ErrDamaged},
		{"a damaged record", assemble(t, rotten, &trailer), ErrDamaged},
	}
	for _, n := range []int{1, 8, 15, 16, 17, 4096, size, 16 + size, 16 + size + 2, 16 + size + 10, len(good) - 32, len(good) - 1} {
		cases = append(cases, bad{"truncated", good[:n], ErrSnapshot})
	}
	for _, at := range []int{0, 9, 15, 16, 100, 5000, size / 2, 16 + size - 1, 16 + size, 16 + size + 4, len(good) - 33, len(good) - 1} {
		data := bytes.Clone(good)
		data[at] ^= 0x10
		cases = append(cases, bad{"flipped bit", data, ErrSnapshot})
	}

	r := newRegion(t) // of the same cluster, at an earlier index
	hash := r.hash()
	for i, c := range cases {
		if err := r.restore(c.data); !errors.Is(err, c.want) {
			t.Errorf("%d, %s: %v; want %v", i, c.name, err, c.want)
		}
		if r.hash() != hash {
			t.Fatalf("%d, %s: the state changed", i, c.name)
		}
		if _, err := os.Stat(r.path + newSuffix); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%d, %s: the incomplete file stays: %v", i, c.name, err)
		}
	}
	r.ok(createKey(1)) // the store goes on
	r.reopen()
	r.check()
	if err := r.restore(good); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

// assemble puts a snapshot together.
func assemble(t *testing.T, database []byte, trailer *storepb.SnapshotTrailer) []byte {
	t.Helper()
	out := binary.BigEndian.AppendUint64([]byte(snapshotMagic), uint64(len(database)))
	out = append(out, database...)
	encoded, err := encode(trailer)
	if err != nil {
		t.Fatal(err)
	}
	out = append(binary.BigEndian.AppendUint32(out, uint32(len(encoded))), encoded...)
	sum := sha256.Sum256(out)
	return append(out, sum[:]...)
}

// An error of the disk while the snapshot is written leaves the state as it
// was.
func TestRestoreOnAFullDisk(t *testing.T) {
	source := newRegion(t)
	source.ok(createKey(1))
	data := source.snapshot()
	r := newRegion(t)
	r.store.Close()
	full := errors.New("disk is full")
	r.open(Config{OpenFile: func(name string, flag int, perm os.FileMode) (*os.File, error) {
		if name == r.path+newSuffix {
			return nil, full
		}
		return os.OpenFile(name, flag, perm)
	}})
	if err := r.restore(data); !errors.Is(err, full) {
		t.Fatal(err)
	}
	r.ok(createKey(2))
}

// An error of the stream is passed on: it says more than that the snapshot
// ends early.
func TestRestoreReportsTheStreamsError(t *testing.T) {
	source := newRegion(t)
	broken := errors.New("connection reset")
	r := newRegion(t)
	err := r.store.Restore(io.MultiReader(bytes.NewReader(source.snapshot()[:5000]), errorReader{broken}))
	if !errors.Is(err, broken) {
		t.Error(err)
	}
}

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }

// Persist reports the error of its writer.
func TestPersistReportsTheWritersError(t *testing.T) {
	r := newRegion(t)
	full := errors.New("disk is full")
	for _, room := range []int{0, 10, 16, 5000, 1 << 14} {
		sn, err := r.store.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		if err := sn.Persist(&shortWriter{room, full}); err == nil {
			t.Errorf("room for %d bytes: no error", room)
		}
		sn.Release()
	}
	r.ok(createKey(1))
}

type shortWriter struct {
	room int
	err  error
}

func (w *shortWriter) Write(p []byte) (int, error) {
	if len(p) > w.room {
		return 0, w.err
	}
	w.room -= len(p)
	return len(p), nil
}
