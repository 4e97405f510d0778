package store

import (
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"meridian/store/storepb"
)

// Entries that were applied before are skipped, alone and at the front of a
// batch.
func TestAppliedEntriesAreSkipped(t *testing.T) {
	r := newRegion(t)
	one, two := r.entry(r.command(createKey(1))), r.entry(r.command(createKey(2)))
	if _, err := r.store.Apply([]Entry{one}); err != nil {
		t.Fatal(err)
	}
	hash := r.hash()
	if results, err := r.store.Apply([]Entry{one}); err != nil || len(results) != 1 || results[0] != nil || r.hash() != hash {
		t.Fatalf("again: %v, %v", results, err)
	}
	results, err := r.store.Apply([]Entry{one, two})
	if err != nil || len(results) != 2 || results[0] != nil || results[1].GetCode() != storepb.Code_OK {
		t.Fatalf("with the next: %v, %v", results, err)
	}
	if index, term := r.store.Applied(); index != two.Index || term != 1 {
		t.Errorf("applied %d, term %d", index, term)
	}
	r.reopen()
	if index, term := r.store.Applied(); index != two.Index || term != 1 {
		t.Errorf("after reopening: applied %d, term %d", index, term)
	}
	if results, err := r.store.Apply(nil); err != nil || len(results) != 0 {
		t.Errorf("nothing: %v, %v", results, err)
	}
}

func TestConfigurationIsKept(t *testing.T) {
	r := newRegion(t)
	r.read(func(v *View) {
		if index, data, err := v.Configuration(); index != 0 || data != nil || err != nil {
			t.Errorf("before any: %d, %q, %v", index, data, err)
		}
	})
	hash := r.hash()
	r.index += 2
	results, err := r.store.Apply([]Entry{
		{Index: r.index - 1, Term: 1, Kind: Configuration, Data: []byte("old")},
		{Index: r.index, Term: 2, Kind: Configuration, Data: []byte("servers")},
	})
	if err != nil || results[0] != nil || results[1] != nil {
		t.Fatal(results, err)
	}
	r.read(func(v *View) {
		if index, data, err := v.Configuration(); index != r.index || string(data) != "servers" || err != nil || v.Index() != r.index {
			t.Errorf("%d, %q, %v at %d", index, data, err, v.Index())
		}
	})
	if r.hash() != hash {
		t.Error("a configuration changed the state hash")
	}
	r.check()
}

// A command that this build does not wholly understand stops the store, and
// nothing of its batch stays.
func TestUnknownCommandsStop(t *testing.T) {
	marshal := func(c *storepb.Command) []byte {
		data, err := proto.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	unknown := protowire.AppendVarint(protowire.AppendTag(nil, 900, protowire.VarintType), 1)
	for name, data := range map[string]func(r *region) []byte{
		"version": func(r *region) []byte {
			c := r.command(createKey(2))
			c.Version = 2
			return marshal(c)
		},
		"no version": func(r *region) []byte { return nil },
		"no body":    func(r *region) []byte { return marshal(&storepb.Command{Version: 1, Id: make([]byte, 16)}) },
		"garbage":    func(r *region) []byte { return []byte("\xff\xff\xff") },
		"field": func(r *region) []byte {
			return append(marshal(r.command(createKey(2))), unknown...)
		},
		"field of the body": func(r *region) []byte {
			c := createKey(2)
			c.ProtoReflect().SetUnknown(unknown)
			return marshal(r.command(c))
		},
		"field of a tag": func(r *region) []byte {
			c := createKey(2)
			c.Tags = []*storepb.Tag{{Key: "a"}, {Key: "b"}}
			c.Tags[1].ProtoReflect().SetUnknown(unknown)
			return marshal(r.command(c))
		},
		"feature level": func(r *region) []byte {
			c := initRegion()
			c.FeatureLevel = FeatureLevel + 1
			return marshal(r.command(c))
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRegion(t)
			applied, _ := r.store.Applied()
			good := r.entry(r.command(createKey(1)))
			bad := Entry{Index: r.index + 1, Term: 1, Data: data(r)}
			results, err := r.store.Apply([]Entry{good, bad})
			var entry *EntryError
			if !errors.Is(err, ErrUnknownCommand) || !errors.As(err, &entry) || entry.Index != bad.Index || results != nil {
				t.Fatalf("%v, %v", results, err)
			}
			if _, err := r.store.View(); !errors.Is(err, ErrUnknownCommand) {
				t.Errorf("view afterwards: %v", err)
			}
			if _, err := r.store.Apply([]Entry{good}); !errors.Is(err, ErrUnknownCommand) {
				t.Errorf("apply afterwards: %v", err)
			}
			r.reopen()
			if now, _ := r.store.Applied(); now != applied {
				t.Errorf("applied %d; want %d", now, applied)
			}
			r.check()
			if _, err := r.store.Apply([]Entry{good}); err != nil { // as a newer build would go on
				t.Error(err)
			}
		})
	}
	t.Run("kind", func(t *testing.T) {
		r := newRegion(t)
		if _, err := r.store.Apply([]Entry{{Index: 9, Term: 1, Kind: 7}}); !errors.Is(err, ErrUnknownCommand) {
			t.Error(err)
		}
	})
}

// A command id of a wrong length is refused without being remembered.
func TestCommandIDHasToBeWhole(t *testing.T) {
	r := newRegion(t)
	c := r.command(createKey(1))
	c.Id = c.Id[:8]
	r.code(storepb.Code_INVALID, c)
	r.check()
}

// A panic while applying comes back as an error that names the entry.
func TestPanicNamesTheEntry(t *testing.T) {
	r := newRegion(t)
	e := r.entry(r.command(createKey(1)))
	db, err := r.store.beginWrite()
	if err != nil {
		t.Fatal(err)
	}
	r.store.memos = nil // touching them panics
	_, err = r.store.applyBatch(db, []Entry{e}, make([]*storepb.Result, 1))
	r.store.endWrite(nil, nil, err)
	var entry *EntryError
	if !errors.As(err, &entry) || entry.Index != e.Index || !strings.Contains(err.Error(), "panic") {
		t.Fatal(err)
	}
	if _, again := r.store.View(); again != err {
		t.Errorf("afterwards: %v", again)
	}
	r.reopen()
	r.check()
}
