package main

import (
	"errors"
	"syscall"
	"testing"

	"meridian/cluster/api/client"
)

// TestServerEndsTheWaitForKeyPairs asks for more RSA keys than can be made in time
// and stops the server: who waits is told so, and not that it asked too much.
func TestServerEndsTheWaitForKeyPairs(t *testing.T) {
	t.Parallel()
	r := startRegions(t, 1, 1)
	region := r.layout.Regions[0]
	node := region.Nodes[0]
	c := r.client(region)
	const asked = 90 // within what one caller may at once
	answers := make(chan error, asked)
	for range asked {
		go func() {
			_, err := c.Do(t.Context(), "CreateKey", map[string]string{"KeySpec": "RSA_2048"}, nil)
			answers <- err
		}()
	}
	codes := map[string]int{}
	for i := range asked {
		var refused *client.Error
		switch err := <-answers; {
		case err == nil:
			codes["made"]++
		case errors.As(err, &refused):
			codes[refused.Code]++
		default:
			codes[err.Error()]++
		}
		if i == 0 {
			r.running[node].Signal(syscall.SIGTERM)
		}
	}
	<-r.running[node].Done()
	if ending := r.running[node].Ending(); ending != "exit status 0" {
		t.Errorf("the server ended with %s", ending)
	}
	if codes["made"] == 0 || codes["ServiceUnavailableTemporary"] == 0 || codes["made"]+codes["ServiceUnavailableTemporary"] != asked {
		t.Errorf("%v", codes)
	}
}
