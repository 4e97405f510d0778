//go:build !linux

package devregion

import (
	"os/exec"
	"syscall"
)

// dieWithParent keeps a terminal's Ctrl-C from the process: we stop it
// ourselves, cleanly. Our death is told by the pipe alone here.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}
