package main

import (
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// stopHandshakes has the kernel drop every SYN to a listener, while those that it
// has answered already still become connections. A listener that is closed
// resets the connections in its queue, with a request in them perhaps; after a
// moment without SYNs the queue is empty. Whoever's SYN is dropped sends it
// again, a second later, and is refused by then.
func stopHandshakes(l net.Listener) error {
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return fmt.Errorf("%T has no socket", l)
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
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
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
			&unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]})
	})
	if err != nil {
		return err
	}
	return failed
}
