//go:build !linux

package api

import (
	"crypto/rand"
	"os"
	"time"
)

// allocate takes blocks for size bytes of file from offset on.
func allocate(file *os.File, offset, size int64) error { return writeZeros(file, offset, size) }

// bootID is another one at each start: what the file holds is then taken for older than the host's last start.
func bootID() (id [40]byte, err error) {
	_, _ = rand.Read(id[:]) // never fails
	return id, nil
}

// bootTime is the present, the safe answer where the host does not tell.
func bootTime(now time.Time) time.Time { return now }
