package migrate

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// announce has others see, who ask by [announced], that this process has a file. It is beside [lock], which decides who has
// it: nobody can ask about that one without taking it for a moment. It lasts as long as the file is open. Where the file
// system does not know such locks, nobody sees it, and that is all.
func announce(file *os.File) {
	_ = unix.FcntlFlock(file.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart})
}

// announced says whether a process has announced that it has a file, and takes nothing.
func announced(file *os.File) (is, known bool) {
	other := unix.Flock_t{Type: unix.F_RDLCK, Whence: io.SeekStart}
	err := unix.FcntlFlock(file.Fd(), unix.F_OFD_GETLK, &other)
	return other.Type != unix.F_UNLCK, err == nil
}
