package api

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// nonceFile keeps the tables of the nonce guard in a file that is mapped shared and never synced: it costs what memory
// costs and survives the end of the process, kill -9 included. It does not survive a loss of power; the boot id tells.
//
// The file is a head of 32 KiB and extents behind it, each a table. The head holds a magic, a hash key, the boot id,
// two times, a sum over what it says, and a directory of extents. An extent belongs to the epoch in its row, or is free:
// the row is written when the extent is ready, and zeroed before the extent is touched again. Its row holds a sum over
// its slots: a table that lost one would grant a nonce twice. Numbers are in the byte order of the host.
type nonceFile struct {
	file    *os.File
	booted  bool // the file is from before the last boot: its tables may lack slots, which the floor makes good
	mmap    func(file *os.File, offset int64, size int) ([]byte, error)
	head    *nonceHead
	headMap []byte
	maps    map[int][]byte // by row
	size    int64
}

const (
	nonceHeadSize = 32 << 10
	nonceRows     = 512
	nonceMagic    = "MDNONCE2"
)

type nonceHead struct {
	magic   [8]byte
	hashKey [16]byte
	boot    [40]byte
	floor   int64 // Unix seconds: what is dated before may have been forgotten
	latest  int64 // Unix seconds: the largest date of a request whose nonce was taken
	sum     uint64
	rows    [nonceRows]nonceRow
}

type nonceRow struct {
	offset int64
	slots  int64 // zero: no extent
	epoch  int64 // zero: free
	sum    uint64
}

// storedTable is a table found in the file.
type storedTable struct {
	slots []uint64
	id    int
	epoch int64
	whole bool
}

var errNonceFileFull = errors.New("the file of nonces has no room for another table")

// openNonceFile opens the file of a configuration or makes it, mode 0600. A file that is damaged is made anew.
//
// The floor is what cannot be told from the tables. After another boot they may lack what had not reached the disk:
// requests that were accepted before the boot are dated before it, or no later than the latest that the head knows of.
// A file that is damaged, or that is gone though the node has served before, may have held anything up to now. In
// neither case is a request covered whose date was ahead of the node's clock and of which nothing was left on the disk.
func openNonceFile(cfg *nonceConfig) (*nonceFile, error) {
	file, err := os.OpenFile(cfg.path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	f := &nonceFile{file: file, mmap: cfg.mmap, maps: make(map[int][]byte)}
	if f.mmap == nil {
		f.mmap = mapShared
	}
	if cfg.bootID == nil {
		cfg.bootID = bootID
	}
	if err := f.open(cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", cfg.path, err), f.close())
	}
	return f, nil
}

func (f *nonceFile) open(cfg *nonceConfig) error {
	if err := unix.Flock(int(f.file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("in use by another process: %w", err)
	}
	info, err := f.file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("not a regular file")
	}
	now := cfg.now()
	boot, bootErr := cfg.bootID()
	if bootErr != nil {
		cfg.logger.Warn("whether the host was started again cannot be told: nonces are taken for lost before its last start",
			slog.String("event", "api.nonces_boot_unknown"), slog.String("error", bootErr.Error()))
		_, _ = rand.Read(boot[:]) // never fails; no later start takes it for its own
	}
	f.size = info.Size()
	if f.size >= nonceHeadSize {
		if err := f.mapHead(); err != nil {
			return err
		}
		if f.valid() {
			if f.head.boot != boot {
				cfg.logger.Info("nonces may have been lost with the last boot", slog.String("event", "api.nonces_boot"))
				f.head.floor = max(f.head.floor, bootTime(now).Unix(), f.head.latest+1)
				f.head.boot = boot
				f.seal()
				f.booted = bootErr == nil // else a damaged table may have another cause, which the floor does not make good
			}
			return nil
		}
	}
	var floor int64
	switch {
	case f.size > 0:
		cfg.logger.Warn("the file of nonces is damaged and was made anew", slog.String("event", "api.nonces_damaged"))
		floor = now.Unix() + 1
		if f.head != nil && f.head.latest <= now.Unix()+windowSeconds {
			floor = max(floor, f.head.latest+1) // for what it is worth
		}
	case !cfg.first:
		cfg.logger.Warn("the file of nonces is gone and was made anew", slog.String("event", "api.nonces_gone"))
		floor = now.Unix() + 1
	}
	if err := f.create(); err != nil {
		return err
	}
	f.head.boot, f.head.floor = boot, floor
	f.seal()
	copy(f.head.magic[:], nonceMagic) // last: the head is whole
	return nil
}

// create empties the file and writes a head without magic.
func (f *nonceFile) create() error {
	if f.headMap != nil {
		err := unix.Munmap(f.headMap)
		f.headMap, f.head = nil, nil
		if err != nil {
			return err
		}
	}
	if err := f.file.Truncate(0); err != nil {
		return err
	}
	if err := allocate(f.file, 0, nonceHeadSize); err != nil {
		return err
	}
	f.size = nonceHeadSize
	if err := f.mapHead(); err != nil {
		return err
	}
	_, _ = rand.Read(f.head.hashKey[:]) // never fails
	return nil
}

func (f *nonceFile) mapHead() (err error) {
	f.headMap, err = f.mmap(f.file, 0, nonceHeadSize)
	if err != nil {
		return fmt.Errorf("map: %w", err)
	}
	f.head = (*nonceHead)(unsafe.Pointer(unsafe.SliceData(f.headMap)))
	return nil
}

func mapShared(file *os.File, offset int64, size int) ([]byte, error) {
	return unix.Mmap(int(file.Fd()), offset, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
}

// valid reports whether the head and every row of its directory make sense.
func (f *nonceFile) valid() bool {
	if string(f.head.magic[:]) != nonceMagic || f.head.sum != f.head.total() {
		return false
	}
	end := int64(nonceHeadSize)
	for i := range f.head.rows {
		row := &f.head.rows[i]
		if row.slots == 0 {
			continue
		}
		if row.offset != end || row.slots < firstTable || row.slots&(row.slots-1) != 0 || row.slots > 1<<32 || row.epoch < 0 {
			return false
		}
		end += row.slots * 8
	}
	return end <= f.size
}

// tables maps and returns the tables that hold nonces.
func (f *nonceFile) tables() (found []storedTable, err error) {
	for i := range f.head.rows {
		row := &f.head.rows[i]
		if row.slots == 0 || row.epoch == 0 {
			continue
		}
		slots, err := f.mapRow(i)
		if err != nil {
			return nil, fmt.Errorf("map %d bytes: %w", row.slots*8, err)
		}
		found = append(found, storedTable{slots: slots, id: i, epoch: row.epoch, whole: whole(slots, row)})
	}
	return found, nil
}

func (f *nonceFile) mapRow(i int) ([]uint64, error) {
	row := &f.head.rows[i]
	m, ok := f.maps[i]
	if !ok {
		var err error
		m, err = f.mmap(f.file, row.offset, int(row.slots*8))
		if err != nil {
			return nil, err
		}
		f.maps[i] = m
	}
	return unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(m))), row.slots), nil
}

// get takes a free extent of the wanted size or somewhat more, or makes the file longer.
func (f *nonceFile) get(slots int, epoch int64) ([]uint64, int, error) {
	best, fresh := -1, -1
	for i := range f.head.rows {
		row := &f.head.rows[i]
		switch {
		case row.slots == 0:
			if fresh < 0 {
				fresh = i
			}
		case row.epoch == 0 && row.slots >= int64(slots) && row.slots <= 4*int64(slots) && (best < 0 || row.slots < f.head.rows[best].slots):
			best = i
		}
	}
	if best < 0 {
		if fresh < 0 {
			return nil, 0, errNonceFileFull
		}
		if err := f.extend(fresh, int64(slots)); err != nil {
			return nil, 0, err
		}
		best = fresh
	}
	memory, err := f.mapRow(best)
	if err != nil {
		return nil, 0, err
	}
	clear(memory)
	f.head.rows[best].epoch, f.head.rows[best].sum = epoch, emptySum(epoch)
	f.seal()
	return memory, best, nil
}

// extend makes a new extent at the end of the file. Its blocks are taken at once: a full disk is an error here, and
// would be a SIGBUS later.
func (f *nonceFile) extend(i int, slots int64) error {
	if err := allocate(f.file, f.size, slots*8); err != nil {
		return err
	}
	f.head.rows[i] = nonceRow{offset: f.size, slots: slots}
	f.seal()
	f.size += slots * 8
	return nil
}

// writeZeros takes blocks where the file system cannot do it by itself.
func writeZeros(file *os.File, offset, size int64) error {
	zeros := make([]byte, min(size, 1<<20))
	for size > 0 {
		n, err := file.WriteAt(zeros[:min(size, int64(len(zeros)))], offset)
		if err != nil {
			return err
		}
		offset, size = offset+int64(n), size-int64(n)
	}
	return nil
}

func (f *nonceFile) taken(date int64)  { f.head.latest = max(f.head.latest, date) }
func (f *nonceFile) hashKey() [16]byte { return f.head.hashKey }
func (f *nonceFile) floor() int64      { return f.head.floor }

func (f *nonceFile) put(id int) {
	f.head.rows[id].epoch = 0
	f.seal()
}

func (f *nonceFile) setFloor(floor int64) {
	f.head.floor, f.head.latest = floor, min(f.head.latest, floor)
	f.seal()
}

func (f *nonceFile) close() error {
	var problems []error
	for i, m := range f.maps {
		problems = append(problems, unix.Munmap(m))
		delete(f.maps, i)
	}
	if f.headMap != nil {
		problems = append(problems, unix.Munmap(f.headMap))
		f.headMap, f.head = nil, nil
	}
	return errors.Join(append(problems, f.file.Close())...)
}
