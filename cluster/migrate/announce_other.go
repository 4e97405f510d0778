//go:build !linux

package migrate

import "os"

// announce exists on Linux only.
func announce(*os.File) {}

// announced knows nothing.
func announced(*os.File) (is, known bool) { return false, false }
