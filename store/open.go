package store

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"time"

	"meridian/crypto"
	"meridian/store/storepb"
)

// FeatureLevel is the highest feature level of a region that this build
// understands.
const FeatureLevel = 1

// Config describes the state file of one node.
type Config struct {
	// Path of the state file. Its folder is made, 0700, when it is missing.
	Path string
	// InitialMmapSize is the address space reserved for the file, in bytes. A
	// file that outgrows it makes writes wait for all readers, snapshots
	// included. Default: DefaultInitialMmapSize.
	InitialMmapSize int
	// MaxSize bounds the file, in bytes. Default: no bound.
	MaxSize int
	// OpenFile opens files, as os.OpenFile does. Tests put faults here.
	OpenFile func(name string, flag int, perm os.FileMode) (*os.File, error)
	// Logger takes what happens to the file. Default: discarded.
	Logger *slog.Logger
}

// DefaultInitialMmapSize is address space, not memory: room for about twenty
// million keys.
const DefaultInitialMmapSize = 16 << 30

// Store is the state of a region on one node.
type Store struct{ cfg Config }

var errSkeleton = errors.New("store: not there yet")

func Open(cfg Config) (*Store, error)                             { return nil, errSkeleton }
func (s *Store) Close() error                                     { return errSkeleton }
func (s *Store) Applied() (index, term uint64)                    { return 0, 0 }
func (s *Store) Apply(entries []Entry) ([]*storepb.Result, error) { return nil, errSkeleton }
func (s *Store) View() (*View, error)                             { return nil, errSkeleton }
func (s *Store) Snapshot() (*Snapshot, error)                     { return nil, errSkeleton }
func (s *Store) Restore(r io.Reader) error                        { return errSkeleton }
func (s *Store) Check(ctx context.Context) error                  { return errSkeleton }

type Snapshot struct{}

func (sn *Snapshot) Persist(w io.Writer) error { return errSkeleton }
func (sn *Snapshot) Release()                  {}

type View struct{}

func (v *View) Close()                            {}
func (v *View) Index() uint64                     { return 0 }
func (v *View) Key(id crypto.KeyID) (*Key, error) { return nil, errSkeleton }
func (v *View) Version(id crypto.KeyID, version crypto.VersionID) (*Version, error) {
	return nil, errSkeleton
}
func (v *View) Alias(name string) (crypto.KeyID, error) { return crypto.KeyID{}, errSkeleton }
func (v *View) Keys(offset, limit int, match func(*Key) bool) (page []*Key, total int, err error) {
	return nil, 0, errSkeleton
}
func (v *View) Aliases(offset, limit int) ([]Alias, int, error) { return nil, 0, errSkeleton }
func (v *View) AliasesOf(id crypto.KeyID, offset, limit int) ([]Alias, int, error) {
	return nil, 0, errSkeleton
}
func (v *View) Tags(id crypto.KeyID) ([]Tag, error)      { return nil, errSkeleton }
func (v *View) Policy(id crypto.KeyID) (string, error)   { return "", errSkeleton }
func (v *View) Region() (Region, bool)                   { return Region{}, false }
func (v *View) Node(id string) (NodeRecord, bool, error) { return NodeRecord{}, false, errSkeleton }
func (v *View) DueDeletions(now time.Time, limit int) ([]crypto.KeyID, error) {
	return nil, errSkeleton
}
func (v *View) DueRotations(now time.Time, limit int) ([]crypto.KeyID, error) {
	return nil, errSkeleton
}
func (v *View) Tombstone(id crypto.KeyID, version crypto.VersionID) (bool, error) {
	return false, errSkeleton
}
func (v *View) Result(commandID []byte) (*storepb.Result, error)      { return nil, errSkeleton }
func (v *View) StateHash() [32]byte                                   { return [32]byte{} }
func (v *View) LastStamp() time.Time                                  { return time.Time{} }
func (v *View) Configuration() (index uint64, data []byte, err error) { return 0, nil, errSkeleton }
