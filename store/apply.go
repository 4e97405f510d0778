package store

import (
	"errors"
	"fmt"
	"runtime/debug"

	"go.etcd.io/bbolt"
	"google.golang.org/protobuf/proto"

	"meridian/crypto"
	"meridian/store/internal/record"
	"meridian/store/storepb"
)

// maxStampMs is the end of the year 9999. A later stamp is refused, since time
// never goes back in the state and sums with it could overflow.
const maxStampMs = 253402300799999

// Apply applies entries in one transaction and returns a result for each:
// nil for configurations and for entries that were applied before. Entries
// must come in the order of the log.
//
// An error means that nothing of the batch may be answered, that the store
// takes no more calls, and that the process has to end: after a failed commit
// only reopening the file tells what it holds. It is an *EntryError, with
// ErrUnknownCommand or a panic inside, where one entry is to blame.
func (s *Store) Apply(entries []Entry) ([]*storepb.Result, error) {
	s.write.Lock()
	defer s.write.Unlock()

	fresh := entries
	applied, _ := s.Applied()
	for len(fresh) > 0 && fresh[0].Index <= applied {
		fresh = fresh[1:]
	}
	results := make([]*storepb.Result, len(entries))
	if len(fresh) == 0 {
		return results, s.unusable()
	}
	db, err := s.beginWrite()
	if err != nil {
		return nil, err
	}
	last := fresh[len(fresh)-1]
	hashes, err := s.applyBatch(db, fresh, results[len(entries)-len(fresh):])
	if err != nil {
		s.endWrite(nil, nil, err)
		return nil, err
	}
	s.endWrite(&position{last.Index, last.Term}, hashes, nil)
	return results, nil
}

// applyBatch is the transaction of Apply. It returns the state hash after each
// entry. A panic inside becomes an error.
func (s *Store) applyBatch(db *bbolt.DB, entries []Entry, results []*storepb.Result) (hashes []indexHash, err error) {
	index := entries[0].Index
	hashes = make([]indexHash, 0, len(entries))
	before := debug.SetPanicOnFault(true)
	var tx *bbolt.Tx
	defer func() {
		debug.SetPanicOnFault(before)
		if r := recover(); r != nil {
			err = &EntryError{index, fmt.Errorf("panic: %v\n%s", r, debug.Stack())}
		}
		if err != nil && tx != nil && tx.DB() != nil {
			s.stuck = !abandon(tx)
		}
	}()
	if tx, err = db.Begin(true); err != nil {
		return nil, fmt.Errorf("store: begin: %w", err)
	}
	a, err := newApplier(tx, s.memos)
	if err != nil {
		return nil, err
	}
	for i, e := range entries {
		if e.Index <= a.state.AppliedIndex {
			continue
		}
		index = e.Index
		if results[i], err = a.entry(e); err != nil {
			return nil, &EntryError{e.Index, err}
		}
		a.state.AppliedIndex, a.state.AppliedTerm = e.Index, e.Term
		hashes = append(hashes, indexHash{e.Index, a.hash})
	}
	if err := a.saveState(); err != nil {
		return nil, err
	}
	if err := tx.Commit(); err != nil {
		return nil, fmt.Errorf("store: commit: %w", err)
	}
	return hashes, nil
}

// abandon rolls a transaction back. On damaged pages bbolt may panic at that
// too, and then keeps its locks.
func abandon(tx *bbolt.Tx) (done bool) {
	defer func() {
		if recover() != nil {
			done = false
		}
	}()
	_ = tx.Rollback()
	return true
}

// applier applies entries inside one transaction. It holds what the command
// at hand needs.
type applier struct {
	tx     *bbolt.Tx
	memos  *memos
	tables [record.Buckets]table
	state  *storepb.StateRecord
	hash   record.Digest

	index     uint64 // of the entry at hand
	stamp     int64  // its time, Unix ms, never lower than any before
	principal string // who asked
	hasRegion bool   // the region was seen
}

func newApplier(tx *bbolt.Tx, memos *memos) (*applier, error) {
	a := &applier{tx: tx, memos: memos}
	for id := range record.Buckets {
		t, err := openTable(tx, id)
		if err != nil {
			return nil, err
		}
		a.tables[id] = t
	}
	state, err := loadState(a.tables[record.Meta])
	if err != nil {
		return nil, err
	}
	a.state, a.hash = state, record.Digest(state.StateHash)
	return a, nil
}

// entry applies one entry.
func (a *applier) entry(e Entry) (*storepb.Result, error) {
	a.index = e.Index
	switch e.Kind {
	case Configuration:
		return nil, a.putMeta(record.MetaConfiguration, &storepb.ConfigurationRecord{Index: e.Index, Data: e.Data})
	case Command:
		c, err := decodeCommand(e.Data)
		if err != nil {
			return nil, err
		}
		return a.command(c)
	}
	return nil, fmt.Errorf("%w: entry of kind %d", ErrUnknownCommand, e.Kind)
}

// decodeCommand refuses what this build does not wholly understand.
func decodeCommand(data []byte) (*storepb.Command, error) {
	c := new(storepb.Command)
	if err := proto.Unmarshal(data, c); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrUnknownCommand, err)
	}
	if err := CheckCommand(c); err != nil {
		return nil, err
	}
	return c, nil
}

// command applies a command once: time and id first, then what has expired,
// then the nonce, then the effect. What has expired comes after the id, or a
// command that comes again under a later stamp could take out its own result.
func (a *applier) command(c *storepb.Command) (*storepb.Result, error) {
	if c.StampUnixMs > maxStampMs {
		return invalid("stamp %d", c.StampUnixMs).at(a.index), nil
	}
	a.stamp = max(c.StampUnixMs, a.state.LastStampMs)
	a.state.LastStampMs = a.stamp
	a.principal = c.GetOrigin().GetPrincipal()
	if len(c.Id) != CommandIDBytes {
		return invalid("command id of %d bytes", len(c.Id)).at(a.index), a.prune()
	}
	id := [CommandIDBytes]byte(c.Id)
	hash, err := bodyHash(c)
	if err != nil {
		return nil, err
	}
	remembered, err := a.rememberedResult(id, hash)
	if err != nil {
		return nil, err
	}
	if err := a.prune(); err != nil || remembered != nil {
		return remembered, err
	}
	r, err := a.once(id, c)
	if err != nil {
		return nil, err
	}
	r.CommandIndex = a.index
	return r, a.rememberResult(id, hash, r)
}

// once applies a command that has not been applied before.
func (a *applier) once(id [CommandIDBytes]byte, c *storepb.Command) (*storepb.Result, error) {
	if fresh, err := a.useNonce(id, c.Nonce); err != nil || !fresh {
		return &storepb.Result{Code: storepb.Code_NONCE_USED}, err
	}
	r, err := a.body(c)
	var no refusal
	if errors.As(err, &no) {
		return no.result, nil
	}
	return r, err
}

// body hands the command to its function.
func (a *applier) body(c *storepb.Command) (*storepb.Result, error) {
	switch b := c.Body.(type) {
	case *storepb.Command_InitRegion:
		return a.initRegion(b.InitRegion)
	case *storepb.Command_RegisterNode:
		return a.registerNode(b.RegisterNode)
	}
	if err := a.needRegion(); err != nil {
		return nil, err
	}
	switch b := c.Body.(type) {
	case *storepb.Command_CreateKey:
		return a.createKey(b.CreateKey)
	case *storepb.Command_EnableKey:
		return a.enableKey(b.EnableKey)
	case *storepb.Command_DisableKey:
		return a.disableKey(b.DisableKey)
	case *storepb.Command_ScheduleKeyDeletion:
		return a.scheduleKeyDeletion(b.ScheduleKeyDeletion)
	case *storepb.Command_CancelKeyDeletion:
		return a.cancelKeyDeletion(b.CancelKeyDeletion)
	case *storepb.Command_UpdateKeyDescription:
		return a.updateKeyDescription(b.UpdateKeyDescription)
	case *storepb.Command_CreateAlias:
		return a.createAlias(b.CreateAlias)
	case *storepb.Command_UpdateAlias:
		return a.updateAlias(b.UpdateAlias)
	case *storepb.Command_DeleteAlias:
		return a.deleteAlias(b.DeleteAlias)
	case *storepb.Command_AddKeyVersion:
		return a.addKeyVersion(b.AddKeyVersion)
	case *storepb.Command_SwitchPrimary:
		return a.switchPrimary(b.SwitchPrimary)
	case *storepb.Command_DestroyKeys:
		return a.destroyKeys(b.DestroyKeys)
	case *storepb.Command_SetDeletionProtection:
		return a.setDeletionProtection(b.SetDeletionProtection)
	case *storepb.Command_UpdateRotationPolicy:
		return a.updateRotationPolicy(b.UpdateRotationPolicy)
	case *storepb.Command_SetKeyPolicy:
		return a.setKeyPolicy(b.SetKeyPolicy)
	case *storepb.Command_TagKeys:
		return a.tagKeys(b.TagKeys)
	case *storepb.Command_UntagKeys:
		return a.untagKeys(b.UntagKeys)
	case *storepb.Command_CreateImportToken:
		return a.createImportToken(b.CreateImportToken)
	case *storepb.Command_ImportKeyMaterial:
		return a.importKeyMaterial(b.ImportKeyMaterial)
	case *storepb.Command_UseImportToken:
		return a.useImportToken(b.UseImportToken)
	case *storepb.Command_DeleteKeyMaterial:
		return a.deleteKeyMaterial(b.DeleteKeyMaterial)
	case *storepb.Command_ExpireKeyMaterial:
		return a.expireKeyMaterial(b.ExpireKeyMaterial)
	case *storepb.Command_AddTransportKey:
		return a.addTransportKey(b.AddTransportKey)
	}
	return nil, fmt.Errorf("%w: body %T", ErrUnknownCommand, c.Body)
}

// keyID reads the key id of a command.
func keyID(b []byte) (crypto.KeyID, error) {
	if len(b) != record.IDBytes {
		return crypto.KeyID{}, invalid("key id of %d bytes", len(b))
	}
	return crypto.KeyID(b), nil
}

// versionID reads the id of a key version. The zero one names none.
func versionID(b []byte) (crypto.VersionID, error) {
	if len(b) != record.IDBytes {
		return crypto.VersionID{}, invalid("version id of %d bytes", len(b))
	}
	if crypto.VersionID(b).IsZero() {
		return crypto.VersionID{}, invalid("version id of zeros")
	}
	return crypto.VersionID(b), nil
}
