package store

import (
	"bytes"
	"fmt"
	"runtime/debug"

	"go.etcd.io/bbolt"
	"google.golang.org/protobuf/proto"

	"meridian/store/internal/record"
)

// table is one bucket inside a transaction.
type table struct {
	id record.Bucket
	b  *bbolt.Bucket
}

// openTable finds a bucket. Every bucket is made with the file.
func openTable(tx *bbolt.Tx, id record.Bucket) (table, error) {
	b := tx.Bucket([]byte(id.Name()))
	if b == nil {
		return table{}, damaged("no bucket %s", id.Name())
	}
	if id.Sequential() {
		b.FillPercent = 0.9
	}
	return table{id, b}, nil
}

// open checks one record of the table.
func (t table) open(key, value []byte) (message []byte, d record.Digest, err error) {
	message, d, ok := record.Open(t.id, key, value)
	if !ok {
		return nil, d, damaged("%s record %x has a wrong checksum", t.id.Name(), key)
	}
	return message, d, nil
}

// get returns the message under key, valid inside the transaction, or nil and
// false. An absent key is believed only when its neighbours are intact and in
// order, so that a damaged key is not taken for an absent one.
func (t table) get(key []byte) (message []byte, found bool, err error) {
	if value := t.b.Get(key); value != nil {
		message, _, err = t.open(key, value)
		return message, err == nil, err
	}
	return nil, false, t.checkGap(key)
}

// checkGap checks the records on both sides of an absent key.
func (t table) checkGap(key []byte) error {
	c := t.b.Cursor()
	next, value := c.Seek(key)
	if next != nil {
		if _, _, err := t.open(next, value); err != nil {
			return err
		}
		if bytes.Compare(next, key) <= 0 {
			return damaged("%s record %x is out of order", t.id.Name(), next)
		}
	}
	var prev []byte
	if next == nil {
		prev, value = c.Last()
	} else {
		prev, value = c.Prev()
	}
	if prev != nil {
		if _, _, err := t.open(prev, value); err != nil {
			return err
		}
		if bytes.Compare(prev, key) >= 0 {
			return damaged("%s record %x is out of order", t.id.Name(), prev)
		}
	}
	return nil
}

// load decodes the message under key into m and reports whether it is there.
func (t table) load(key []byte, m proto.Message) (bool, error) {
	message, found, err := t.get(key)
	if err != nil || !found {
		return false, err
	}
	return true, t.decode(key, message, m)
}

// decode reads a message whose checksum has been checked.
func (t table) decode(key, message []byte, m proto.Message) error {
	if err := proto.Unmarshal(message, m); err != nil {
		return damaged("%s record %x: %v", t.id.Name(), key, err)
	}
	return nil
}

// count counts the records, without a look at what they hold.
func (t table) count() (n uint64) {
	c := t.b.Cursor()
	for key, _ := c.First(); key != nil; key, _ = c.Next() {
		n++
	}
	return n
}

// scan calls f for each record whose key begins with prefix, in order, until f
// returns false. f must not change the table.
func (t table) scan(prefix []byte, f func(key, message []byte) (bool, error)) error {
	return t.scanFrom(prefix, prefix, f)
}

// scanFrom is scan from a key on.
func (t table) scanFrom(from, prefix []byte, f func(key, message []byte) (bool, error)) error {
	c := t.b.Cursor()
	var last []byte
	for key, value := c.Seek(from); key != nil && bytes.HasPrefix(key, prefix); key, value = c.Next() {
		message, _, err := t.open(key, value)
		if err != nil {
			return err
		}
		if last != nil && bytes.Compare(key, last) <= 0 {
			return damaged("%s record %x is out of order", t.id.Name(), key)
		}
		last = key
		if more, err := f(key, message); err != nil || !more {
			return err
		}
	}
	return nil
}

// guarded runs f, which reads pages of the file, and turns what a damaged page
// can provoke in bbolt (a failed assertion, an index out of range, a fault
// beyond the end of the mapping) into ErrDamaged. f must not call code from
// outside the package.
func guarded(f func() error) (err error) {
	before := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(before)
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, r)
		}
	}()
	return f()
}
