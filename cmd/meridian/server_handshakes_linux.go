package main

import (
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// stopHandshakes has the kernel drop every SYN to a listener, while those that it
// has answered already still become connections. A listener that is closed
// resets the connections in its queue, with a request in them perhaps; after a
// moment without SYNs the queue is empty. Whoever's SYN is dropped sends it
// again, a second later, and is refused by then.
func stopHandshakes(l net.Listener) error { return control(l, dropSYN) }

// dropHandshakes does the same to a socket that does not listen yet.
func dropHandshakes(_, _ string, c syscall.RawConn) error { return controlRaw(c, dropSYN) }

// dropSYN puts a filter on a socket that drops what begins a connection.
func dropSYN(fd int) error {
	const (
		flags  = 13 // where they stand in a TCP header, RFC 9293 section 3.1
		syn    = 0x02
		ack    = 0x10
		accept = 0xffffffff
	)
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: flags},
		{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: syn | ack},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: syn, Jt: 0, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
		{Code: unix.BPF_RET | unix.BPF_K, K: accept},
	}
	return os.NewSyscallError("setsockopt", unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
		&unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}))
}

// control calls f with the socket of a listener.
func control(l net.Listener, f func(fd int) error) error {
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return fmt.Errorf("%T has no socket", l)
	}
	c, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
	return controlRaw(c, f)
}

func controlRaw(c syscall.RawConn, f func(fd int) error) error {
	var failed error
	if err := c.Control(func(fd uintptr) { failed = f(int(fd)) }); err != nil {
		return err
	}
	return failed
}
