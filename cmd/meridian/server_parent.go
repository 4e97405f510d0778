package main

import (
	"context"
	"os"
	"strconv"
	"strings"
	"syscall"

	"meridian/cmd/meridian/devregion"
)

// watchParent ends the context when the process that started this one, and
// gave it a pipe for that, is gone. Only `meridian dev` and the like do so.
func (s *server) watchParent(ctx context.Context) context.Context {
	pipe := parentPipe(os.Getenv(devregion.ParentPipe))
	if pipe == nil {
		return ctx
	}
	ctx, cancel := context.WithCancel(ctx)
	// It ends with the process or the pipe: nothing waits for it.
	go func() {
		_, _ = pipe.Read(make([]byte, 1)) // nothing is ever written: it returns at the end
		s.log.Warn("Whoever started this server is gone; it stops.", "event", "parent_gone")
		cancel()
	}()
	return ctx
}

// parentPipe opens the pipe that FD:INODE names, nil if that is not it: a
// server started again by hand has the variable, but not the pipe.
func parentPipe(text string) *os.File {
	fdText, inodeText, ok := strings.Cut(text, ":")
	fd, fdErr := strconv.Atoi(fdText)
	inode, inodeErr := strconv.ParseUint(inodeText, 10, 64)
	if !ok || fdErr != nil || inodeErr != nil || fd < 3 {
		return nil
	}
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil || st.Mode&syscall.S_IFMT != syscall.S_IFIFO || st.Ino != inode {
		return nil
	}
	return os.NewFile(uintptr(fd), "parent")
}
