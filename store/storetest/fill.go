// Package storetest fills state files for tests and benchmarks.
package storetest

import (
	"errors"

	"meridian/crypto"
)

// Fill adds n keys to the initialised state file at path, which no store may
// have open.
func Fill(path string, n int, wrap func(crypto.Binding, []byte) ([]byte, error)) error {
	return errors.New("storetest: not there yet")
}
