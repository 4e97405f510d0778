package devregion

import (
	"os/exec"
	"syscall"
)

// dieWithParent has the kernel kill the process when ours dies, and keeps a
// terminal's Ctrl-C from it: we stop it ourselves, cleanly.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
