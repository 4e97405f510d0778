package cluster

import (
	"errors"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
)

// disk is a log in memory that a test can damage.
type disk struct {
	*raft.InmemStore
	values map[string][]byte
}

func newDisk() *disk { return &disk{raft.NewInmemStore(), map[string][]byte{}} }

func (d *disk) Set(key, value []byte) error { d.values[string(key)] = value; return nil }

func (d *disk) Get(key []byte) ([]byte, error) {
	if v, ok := d.values[string(key)]; ok {
		return v, nil
	}
	return nil, raftboltdb.ErrKeyNotFound
}

func TestCheckedLogReturnsWhatItWasGiven(t *testing.T) {
	for name, backend := range map[string]logBackend{"memory": newDisk(), "bbolt": boltLog(t)} {
		t.Run(name, func(t *testing.T) {
			c := checkedLog{backend}
			entries := []*raft.Log{
				{Index: 1, Term: 1, Type: raft.LogConfiguration, Data: []byte("voters")},
				{Index: 2, Term: 1, Type: raft.LogNoop},
				{Index: 3, Term: 4, Type: raft.LogCommand, Data: []byte("command"), Extensions: []byte("more")},
			}
			fine(t, c.StoreLogs(entries[:2]))
			fine(t, c.StoreLog(entries[2]))
			if string(entries[0].Data) != "voters" {
				t.Error("Raft's own entry was changed")
			}
			for _, want := range entries {
				var got raft.Log
				fine(t, c.GetLog(want.Index, &got))
				if got.Index != want.Index || got.Term != want.Term || got.Type != want.Type ||
					string(got.Data) != string(want.Data) || string(got.Extensions) != string(want.Extensions) {
					t.Errorf("entry %d: %+v, want %+v", want.Index, got, *want)
				}
			}
			var none raft.Log
			if err := c.GetLog(9, &none); !errors.Is(err, raft.ErrLogNotFound) {
				t.Errorf("missing entry: %v", err)
			}
			fine(t, c.Set([]byte("name"), []byte("value")))
			fine(t, c.SetUint64([]byte("CurrentTerm"), 7))
			if v, err := c.Get([]byte("name")); err != nil || string(v) != "value" {
				t.Errorf("value %q, %v", v, err)
			}
			if v, err := c.GetUint64([]byte("CurrentTerm")); err != nil || v != 7 {
				t.Errorf("term %d, %v", v, err)
			}
			if _, err := c.GetUint64([]byte("none")); !isMissing(err) {
				t.Errorf("missing value: %v", err)
			}
		})
	}
}

func fine(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func boltLog(t *testing.T) logBackend {
	db, err := openBolt(filepath.Join(t.TempDir(), "raft.db"))
	fine(t, err)
	t.Cleanup(func() { fine(t, db.Close()) })
	return db
}

func TestCheckedLogRefusesEveryDamage(t *testing.T) {
	d := newDisk()
	c := checkedLog{d}
	entry := &raft.Log{Index: 5, Term: 2, Type: raft.LogCommand, Data: []byte("disable the key"), Extensions: []byte("x")}
	fine(t, c.StoreLog(entry))
	var stored raft.Log
	fine(t, d.GetLog(5, &stored))
	damage := map[string]func(*raft.Log){
		"term":       func(l *raft.Log) { l.Term++ },
		"type":       func(l *raft.Log) { l.Type = raft.LogNoop },
		"extensions": func(l *raft.Log) { l.Extensions = nil },
		"cut":        func(l *raft.Log) { l.Data = l.Data[:len(l.Data)-1] },
		"emptied":    func(l *raft.Log) { l.Data = nil },
	}
	for i := range stored.Data {
		damage["bit of byte "+string(rune('a'+i))] = func(l *raft.Log) {
			l.Data = append([]byte(nil), l.Data...)
			l.Data[i] ^= 1 << (i % 8)
		}
	}
	for name, change := range damage {
		bad := stored
		change(&bad)
		fine(t, d.StoreLog(&bad))
		var got raft.Log
		if err := c.GetLog(5, &got); !errors.Is(err, ErrLogDamaged) {
			t.Errorf("%s: %v, %+v", name, err, got)
		}
	}

	fine(t, c.SetUint64([]byte("CurrentTerm"), 7))
	good := d.values["CurrentTerm"]
	for i := range good {
		bad := append([]byte(nil), good...)
		bad[i] ^= 1
		d.values["CurrentTerm"] = bad
		if v, err := c.GetUint64([]byte("CurrentTerm")); !errors.Is(err, ErrLogDamaged) {
			t.Errorf("byte %d of a value damaged: %d, %v", i, v, err)
		}
	}
	d.values["LastVoteTerm"] = good // a value under another key
	if _, err := c.GetUint64([]byte("LastVoteTerm")); !errors.Is(err, ErrLogDamaged) {
		t.Errorf("value of another key: %v", err)
	}
	if reflect.DeepEqual(good, d.values["CurrentTerm"]) {
		t.Fatal("nothing was damaged")
	}
}
