package store

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"testing"

	"google.golang.org/protobuf/proto"

	"meridian/store/storepb"
)

// FuzzApply applies arbitrary entries to a small state. None may panic; one
// that is not understood changes nothing; any other has a result, comes to the
// same state twice, and leaves counters, checksums and state hash right.
func FuzzApply(f *testing.F) {
	r := newRegion(f)
	for n := 1; n <= 3; n++ {
		r.ok(createKey(n))
	}
	r.ok(importKey(4))
	r.ok(&storepb.CreateAlias{Name: "alias/a", KeyId: idOf(1)})
	r.ok(&storepb.DisableKey{KeyId: idOf(2)})
	r.ok(&storepb.ScheduleKeyDeletion{KeyId: idOf(3), Days: 7})
	r.imported(6, 6)
	r.ok(createPair(7))
	r.ok(rotateKey(1, 1, 100))
	r.stamp += 8 * dayMs
	r.ok(createToken(4, 4))
	withNonce := r.withNonce(createKey(5), "x", 15)
	for _, c := range []*storepb.Command{
		withNonce, r.command(initRegion()), r.command(&storepb.RegisterNode{Id: "n1", Incarnation: make([]byte, 16)}),
		r.command(&storepb.EnableKey{KeyId: idOf(2)}), r.command(&storepb.DisableKey{KeyId: idOf(1)}),
		r.command(&storepb.ScheduleKeyDeletion{KeyId: idOf(1), Days: 7}), r.command(&storepb.CancelKeyDeletion{KeyId: idOf(3)}),
		r.command(&storepb.UpdateKeyDescription{KeyId: idOf(1), Description: "d"}),
		r.command(&storepb.CreateAlias{Name: "alias/b", KeyId: idOf(1), Limit: 3}), r.command(&storepb.UpdateAlias{Name: "alias/a", KeyId: idOf(2)}),
		r.command(switchTo(1, 100)), r.command(addPair(7, 9)), r.command(&storepb.SetDeletionProtection{KeyId: idOf(1), Enabled: true, Description: "d"}),
		r.command(&storepb.UpdateRotationPolicy{KeyId: idOf(1), IntervalMs: dayMs}), r.command(&storepb.SetKeyPolicy{KeyId: idOf(1), Policy: "{}"}),
		r.command(tagging([]int{1, 2}, "a=1", "b")), r.command(untagging([]int{1}, "a")), r.command(untagging([]int{1})),
		r.command(createToken(6, 7)), r.command(importMaterial(4, 4)), r.command(&storepb.DeleteKeyMaterial{KeyId: idOf(6)}),
		r.command(&storepb.ExpireKeyMaterial{KeyIds: [][]byte{idOf(6)}}),
		r.command(&storepb.DeleteAlias{Name: "alias/a"}), r.command(rotateKey(1, 1, 9)), r.command(&storepb.DestroyKeys{KeyIds: [][]byte{idOf(3), idOf(1)}}),
	} {
		data, err := proto.Marshal(c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	memos := newMemos()
	once := func(t *testing.T, data []byte) (*storepb.Result, *storepb.StateRecord, error) {
		tx, err := r.store.db.Begin(true)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		a, err := newApplier(tx, memos)
		if err != nil {
			t.Fatal(err)
		}
		result, err := a.entry(Entry{Index: r.index + 1, Term: 1, Data: data})
		if err != nil {
			return nil, nil, err
		}
		if err := a.saveState(); err != nil {
			t.Fatal(err)
		}
		v := &View{tx: tx, memos: memos, state: a.state}
		if err := v.checkRecords(t.Context()); err != nil {
			t.Fatal(err)
		}
		return result, a.state, nil
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		result, state, err := once(t, data)
		if err != nil {
			if !errors.Is(err, ErrUnknownCommand) {
				t.Fatal(err)
			}
			return
		}
		if result.Code == storepb.Code_CODE_UNSPECIFIED {
			t.Fatal("no result")
		}
		again, stateAgain, err := once(t, data)
		if err != nil || !proto.Equal(result, again) || !proto.Equal(state, stateAgain) {
			t.Fatalf("%v, then %v, %v", result, again, err)
		}
	})
}

// FuzzReadSnapshot reads arbitrary streams. What is accepted ends in the
// checksum of all before it.
func FuzzReadSnapshot(f *testing.F) {
	tiny := &storepb.SnapshotTrailer{AppliedIndex: 7, DatabaseBytes: 3, ClusterId: []byte("cluster id 00001")}
	encoded, err := encode(tiny)
	if err != nil {
		f.Fatal(err)
	}
	good := append([]byte(snapshotMagic+"\x00\x00\x00\x00\x00\x00\x00\x03abc\x00\x00\x00"), byte(len(encoded)))
	good = append(good, encoded...)
	sum := sha256.Sum256(good)
	good = append(good, sum[:]...)
	if _, err := readSnapshot(bytes.NewReader(good), io.Discard); err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add([]byte(snapshotMagic + "\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var database bytes.Buffer
		trailer, err := readSnapshot(bytes.NewReader(data), &database)
		if err != nil {
			if !errors.Is(err, ErrSnapshot) {
				t.Fatal(err)
			}
			return
		}
		end := len(data) - sha256.Size
		if [sha256.Size]byte(data[end:]) != sha256.Sum256(data[:end]) || trailer.DatabaseBytes != uint64(database.Len()) {
			t.Fatal("accepted without a right checksum")
		}
	})
}
