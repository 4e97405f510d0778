package migrate

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

var (
	// ErrInUse says that another process goes on with the same run.
	ErrInUse = errors.New("another process is at this run")
	// ErrOutputInUse says that another run writes the same output.
	ErrOutputInUse = errors.New("another run writes it: give each run an output of its own")
)

// lock keeps a journal or an output for this process, as long as the file is open.
func lock(file *os.File) error {
	err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return ErrInUse
	}
	return err
}
