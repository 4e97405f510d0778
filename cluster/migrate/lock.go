package migrate

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

var (
	// ErrInUse says that another process goes on with the same run.
	ErrInUse = errors.New("another process is at this run")
	// ErrOutputInUse says that another run writes the same output.
	ErrOutputInUse = errors.New("another run writes it: give each run an output of its own")
	// ErrFolderInUse says that another run, or a rollback, changes files of the same folder.
	ErrFolderInUse = errors.New("another run or rollback is at this folder: start again when it has ended")
)

// lock keeps a journal or an output for this process, as long as the file is open.
func lock(file *os.File) error { return flock(file, unix.LOCK_EX) }

// lockNamed is lock for a file that another process may just have given another name: it is not the run's any more then.
func lockNamed(file *os.File) error {
	if err := lock(file); err != nil {
		return err
	}
	opened, err := file.Stat()
	if err != nil {
		return err
	}
	if named, err := os.Stat(file.Name()); err != nil || !os.SameFile(opened, named) {
		return ErrInUse
	}
	return nil
}

func flock(file *os.File, how int) error {
	err := unix.Flock(int(file.Fd()), how|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return ErrInUse
	}
	return err
}

// lockFolder keeps a folder for this process, as long as the file is open. Those who share it, for they change different
// files, keep it together from all others.
func lockFolder(root *os.Root, shared bool) (*os.File, error) {
	folder, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	how := unix.LOCK_EX
	if shared {
		how = unix.LOCK_SH
	}
	if err = flock(folder, how); errors.Is(err, ErrInUse) {
		err = fmt.Errorf("%s: %w", root.Name(), ErrFolderInUse)
	}
	if err != nil {
		return nil, errors.Join(err, folder.Close())
	}
	return folder, nil
}
