//go:build unix

package seal

import (
	"io/fs"
	"os"
	"syscall"
)

// foreignOwner returns the owner of a file and whether it is somebody else than root and the user of this process.
func foreignOwner(info fs.FileInfo) (uid uint32, foreign bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return stat.Uid, stat.Uid != 0 && int64(stat.Uid) != int64(os.Geteuid())
}
