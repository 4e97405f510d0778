//go:build !linux

package cluster

import "os"

// allocate takes size bytes of the volume for f.
func allocate(f *os.File, size int64) error { return writeZeros(f, size) }
