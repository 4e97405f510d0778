package store

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"meridian/store/internal/record"
	"meridian/store/storepb"
)

// FeatureLevel is the highest feature level of a region that this build
// understands.
const FeatureLevel = 1

// fileFormat is the layout of the state file that this build writes.
const fileFormat = 1

// DefaultInitialMmapSize is address space, not memory: room for about twenty
// million keys.
const DefaultInitialMmapSize = 16 << 30

// lockTimeout is how long Open waits for a process that is about to end.
const lockTimeout = time.Second

// newSuffix marks a file that is not complete yet. One that is left over after
// a crash is removed at Open.
const newSuffix = ".new"

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
	// OpenFile opens the database's files, as os.OpenFile does. Tests put
	// faults here.
	OpenFile func(name string, flag int, perm os.FileMode) (*os.File, error)
	// Logger takes what happens to the file. Default: discarded.
	Logger *slog.Logger
}

// Open opens a node's state file, or makes an empty one. It takes constant
// time: Check looks at every record. Errors: ErrDamaged, when the file should
// be set aside and the state rebuilt; ErrFeatureLevel; ErrLocked; what the
// operating system says.
func Open(cfg Config) (*Store, error) {
	if cfg.Path == "" {
		return nil, errors.New("store: no path of the state file")
	}
	if cfg.InitialMmapSize == 0 {
		cfg.InitialMmapSize = DefaultInitialMmapSize
	}
	if cfg.OpenFile == nil {
		cfg.OpenFile = os.OpenFile
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Store{cfg: cfg}
	if err := s.prepareFile(); err != nil {
		return nil, err
	}
	db, err := s.openDatabase(cfg.Path, readWrite)
	if err != nil {
		return nil, err
	}
	if err := guarded(func() error { return addBuckets(db) }); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if err := s.install(db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// prepareFile removes what a crash left over and makes the state file if there
// is none. It is made under another name and renamed once it is on disk,
// because bbolt's own initialisation does not survive a loss of power.
func (s *Store) prepareFile() error {
	folder := filepath.Dir(s.cfg.Path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if err := removeFile(s.cfg.Path + checkSuffix); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	switch err := os.Remove(s.newPath()); {
	case err == nil:
		s.cfg.Logger.Warn("removed an incomplete state file", "path", s.newPath())
	case !errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("store: %w", err)
	}
	switch _, err := os.Stat(s.cfg.Path); {
	case err == nil:
		return nil
	case !errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("store: %w", err)
	}
	if err := s.createFile(s.newPath()); err != nil {
		return err
	}
	return s.moveIntoPlace()
}

// removeFile removes a file that may not be there.
func removeFile(path string) error {
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// newPath is where a file is written before it takes the state file's place.
func (s *Store) newPath() string { return s.cfg.Path + newSuffix }

// syncFile is a seam for tests, which want to know what is synced, and when.
var syncFile = (*os.File).Sync

// moveIntoPlace lets the file at newPath, which is on disk, take the state
// file's place for good.
func (s *Store) moveIntoPlace() error {
	if err := os.Rename(s.newPath(), s.cfg.Path); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	folder, err := os.Open(filepath.Dir(s.cfg.Path))
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer folder.Close()
	if err := syncFile(folder); err != nil {
		return fmt.Errorf("store: sync folder: %w", err)
	}
	return nil
}

// createFile makes an empty state.
func (s *Store) createFile(path string) error {
	db, err := s.openDatabase(path, create)
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for id := range record.Buckets {
			if _, err := tx.CreateBucket([]byte(id.Name())); err != nil {
				return err
			}
		}
		meta, err := openTable(tx, record.Meta)
		if err != nil {
			return err
		}
		a := &applier{state: &storepb.StateRecord{Format: fileFormat}}
		a.tables[record.Meta] = meta
		return a.saveState()
	})
	if err == nil {
		err = db.Sync()
	}
	if err := errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("store: create state file: %w", err)
	}
	return nil
}

// openMode says what a bbolt file is opened for.
type openMode uint8

const (
	readWrite openMode = iota
	readOnly
	create
)

// minFileBytes are bbolt's two meta pages of the smallest size.
const minFileBytes = 2 * 4096

// openDatabase opens a bbolt file. What a damaged one provokes in bbolt
// becomes ErrDamaged.
func (s *Store) openDatabase(path string, mode openMode) (db *bbolt.DB, err error) {
	if mode != create {
		if info, err := os.Stat(path); err == nil && info.Size() < minFileBytes {
			return nil, damaged("file of %d bytes", info.Size())
		}
	}
	var file *os.File
	// The free list is kept in the file. Without it bbolt walks every page at
	// Open, which takes a third of a second for a million keys, and does so in
	// a goroutine of its own, where a damaged page ends the process.
	options := &bbolt.Options{
		Timeout:         lockTimeout,
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: s.cfg.InitialMmapSize,
		MaxSize:         s.cfg.MaxSize,
		NoStatistics:    true,
		ReadOnly:        mode == readOnly,
		OpenFile: func(name string, flag int, perm os.FileMode) (*os.File, error) {
			f, err := s.cfg.OpenFile(name, flag, perm)
			file = f
			return f, err
		},
	}
	err = guarded(func() (err error) {
		db, err = bbolt.Open(path, 0o600, options)
		return err
	})
	switch {
	case err == nil:
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, ErrLocked
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum), errors.Is(err, bolterrors.ErrVersionMismatch):
		return nil, damaged("%v", err)
	default:
		if errors.Is(err, ErrDamaged) && file != nil {
			file.Close() // bbolt panicked with the file open and locked
		}
		return nil, fmt.Errorf("store: open %s: %w", path, err)
	}
	if err := guarded(func() error { return wholeFile(db, file) }); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// wholeFile reports a file that ends before its last page.
func wholeFile(db *bbolt.DB, file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return db.View(func(tx *bbolt.Tx) error {
		if info.Size() < tx.Size() {
			return damaged("file of %d bytes ends before its last page at %d", info.Size(), tx.Size())
		}
		return nil
	})
}

// install makes db the store's database. No view of the previous one may be
// shared any more.
func (s *Store) install(db *bbolt.DB) error {
	memos := newMemos()
	v, err := openView(db, memos)
	if err != nil {
		return err
	}
	defer v.Close()
	if err := understood(v); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.db, s.memos = db, memos
	s.hashes = hashRing{entries: []indexHash{{v.state.AppliedIndex, [32]byte(v.state.StateHash)}}}
	s.applied.Store(&position{v.state.AppliedIndex, v.state.AppliedTerm})
	return nil
}

// lacksBuckets reports whether the file is of an earlier build, which did not
// have all buckets.
func lacksBuckets(db *bbolt.DB) (yes bool, err error) {
	err = db.View(func(tx *bbolt.Tx) error {
		yes = tx.Bucket([]byte(record.ImportTokens.Name())) == nil
		return nil
	})
	return yes, err
}

// addBuckets makes the buckets that are missing. A file that says that
// something is in there is damaged.
func addBuckets(db *bbolt.DB) error {
	if missing, err := lacksBuckets(db); err != nil || !missing {
		return err
	}
	return db.Update(func(tx *bbolt.Tx) error {
		meta, err := openTable(tx, record.Meta)
		if err != nil {
			return err
		}
		state, err := loadState(meta)
		if err != nil {
			return err
		}
		if state.ImportTokens != 0 {
			return damaged("no bucket %s, %d records in it", record.ImportTokens.Name(), state.ImportTokens)
		}
		_, err = tx.CreateBucket([]byte(record.ImportTokens.Name()))
		return err
	})
}

// understood refuses a state that a newer build wrote.
func understood(v *View) error {
	if v.state.Format > fileFormat {
		return fmt.Errorf("%w: file format %d", ErrFeatureLevel, v.state.Format)
	}
	if r, ok := v.Region(); ok && r.FeatureLevel > FeatureLevel {
		return fmt.Errorf("%w: feature level %d", ErrFeatureLevel, r.FeatureLevel)
	}
	return nil
}
