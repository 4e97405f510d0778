//go:build linux && !amd64

package boottime

import "golang.org/x/sys/unix"

// mapped is not used: elsewhere Go's signal handler wants to be told of calls into
// the vDSO, which only the runtime can do.
func mapped(*unix.Timespec) bool { return false }
