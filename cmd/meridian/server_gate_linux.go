package main

import (
	"errors"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// refuseConnections has the kernel refuse connections to a listener that drops
// handshakes, and so has none in its queue. The address stays its own.
func refuseConnections(l net.Listener) error {
	return control(l, func(fd int) error {
		return errors.Join(
			// Linux ends listening, and keeps the socket.
			os.NewSyscallError("shutdown", unix.Shutdown(fd, unix.SHUT_RD)),
			os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0)),
		)
	})
}

// takeConnections has it listen again.
func takeConnections(l net.Listener) error {
	const backlog = 1<<16 - 1 // the kernel lowers it to net.core.somaxconn
	return control(l, func(fd int) error { return os.NewSyscallError("listen", unix.Listen(fd, backlog)) })
}
