package crypto

import (
	"os"

	"golang.org/x/sys/unix"
)

// mapMemory maps whole pages. Each protection is best effort: an unprivileged process in a container may have no right
// to lock memory, and old kernels do not know every advice.
func mapMemory(size int) (memory []byte, locked bool, err error) {
	page := os.Getpagesize()
	size = (size + page - 1) / page * page
	memory, err = unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, false, err
	}
	locked = unix.Mlock(memory) == nil
	_ = unix.Madvise(memory, unix.MADV_DONTDUMP)
	_ = unix.Madvise(memory, unix.MADV_WIPEONFORK)
	return memory, locked, nil
}

func unmapMemory(memory []byte) {
	// Unmapping a mapping of our own cannot fail; if it did, the bytes are wiped all the same.
	_ = unix.Munmap(memory)
}
