package main

import (
	"fmt"
	"net"
)

// gate is a listener that has its address but is not served yet. Until Open its
// connections are refused, so that clients turn to another node at once, and know
// that nothing was done: one that is accepted and closed leaves them in doubt.
type gate struct {
	listener net.Listener
	refuses  bool
}

func bindGate(setting, address string) (*gate, error) {
	if anyPort(address) {
		// Nobody knows the address before it is served; and the system would choose
		// another port when the socket listens again.
		l, err := bindTCP(setting, address)
		if err != nil {
			return nil, err
		}
		return &gate{listener: l}, nil
	}
	l, err := bindWith(setting, address, dropHandshakes)
	if err != nil {
		return nil, err
	}
	if err := refuseConnections(l); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("%s: %w", setting, err)
	}
	return &gate{listener: l, refuses: true}, nil
}

func anyPort(address string) bool {
	_, port, err := net.SplitHostPort(address)
	return err == nil && (port == "0" || port == "")
}

// Open returns the listener for whoever serves it now.
func (g *gate) Open() (net.Listener, error) {
	if !g.refuses {
		return g.listener, nil
	}
	g.refuses = false
	return g.listener, takeConnections(g.listener)
}

// Close closes the listener, if nobody else did; a nil gate has none.
func (g *gate) Close() {
	if g != nil {
		_ = g.listener.Close() // an error means that it is closed
	}
}
