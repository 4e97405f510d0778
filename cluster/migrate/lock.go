package migrate

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// ErrInUse says that another process goes on with the same run.
var ErrInUse = errors.New("another process is at this run")

// lock keeps a journal for this process, as long as the file is open.
func lock(file *os.File) error {
	err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return ErrInUse
	}
	return err
}
