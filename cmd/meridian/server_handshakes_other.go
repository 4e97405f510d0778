//go:build !linux

package main

import (
	"errors"
	"net"
)

// stopHandshakes exists on Linux only.
func stopHandshakes(net.Listener) error { return errors.ErrUnsupported }
