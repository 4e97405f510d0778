package store

import (
	"errors"
	"fmt"
)

var (
	// ErrKeyNotFound: the region has no such key, or it was destroyed.
	ErrKeyNotFound = errors.New("store: key not found")
	// ErrVersionNotFound: the key has no such version.
	ErrVersionNotFound = errors.New("store: key version not found")
	// ErrAliasNotFound: the region has no such alias.
	ErrAliasNotFound = errors.New("store: alias not found")
	// ErrTokenNotFound: the region has no such import token, or it was used.
	ErrTokenNotFound = errors.New("store: import token not found")

	// ErrDamaged: what the file holds is not what was written. The file must
	// be set aside and the state rebuilt from a snapshot or the other nodes.
	ErrDamaged = errors.New("store: state file is damaged")
	// ErrFeatureLevel: the state was written at a higher feature level, or in
	// a newer format, than this build knows.
	ErrFeatureLevel = errors.New("store: state needs a newer version of Meridian")
	// ErrUnknownCommand: a committed command of a newer version, or one with
	// fields unknown here. Skipping it would make this node differ from the
	// others, so the node has to stop.
	ErrUnknownCommand = errors.New("store: command needs a newer version of Meridian")
	// ErrLocked: another process has the state file open.
	ErrLocked = errors.New("store: state file is in use by another process")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("store: closed")
	// ErrSnapshot: a snapshot stream is truncated, altered, or no snapshot.
	ErrSnapshot = errors.New("store: not a complete snapshot")
	// ErrForeignSnapshot: the snapshot is of another region's cluster.
	ErrForeignSnapshot = errors.New("store: snapshot of another cluster")
)

// EntryError is an entry that could not be applied. Nothing of its batch was
// kept.
type EntryError struct {
	Index uint64 // of the entry
	Err   error
}

func (e *EntryError) Error() string {
	return fmt.Sprintf("store: entry %d: %v", e.Index, e.Err)
}

func (e *EntryError) Unwrap() error { return e.Err }

// damaged reports a record or page that is not what was written.
func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}
