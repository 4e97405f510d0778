package devregion

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Free ports are looked for below the range from which systems take the ports
// of outgoing connections: one of those could be gone again before its server
// starts.
const (
	lowestFreePort  = 15_000
	highestFreePort = 32_000
)

// choosePorts answers n ports of loopback that nobody listens on: the row from
// first, or any if first is 0.
func choosePorts(first, n int) ([]int, error) {
	if first != 0 {
		return portRow(first, n)
	}
	ports := make([]int, 0, n)
	seen := map[int]bool{}
	for range 200 * n {
		port := lowestFreePort + rand.IntN(highestFreePort-lowestFreePort)
		if seen[port] {
			continue
		}
		seen[port] = true
		if portFree(port) == nil {
			if ports = append(ports, port); len(ports) == n {
				return ports, nil
			}
		}
	}
	return nil, errors.New("no free ports on 127.0.0.1")
}

func portRow(first, n int) ([]int, error) {
	if first < 1 || first+n-1 > 65535 {
		return nil, fmt.Errorf("ports %d to %d: not all of them exist", first, first+n-1)
	}
	ports := make([]int, n)
	for i := range ports {
		ports[i] = first + i
		if err := portFree(ports[i]); err != nil {
			return nil, fmt.Errorf("port %d is taken (ports %d to %d are needed); choose others with --port", ports[i], first, first+n-1)
		}
	}
	return ports, nil
}

func portFree(port int) error {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return err
	}
	return l.Close()
}
