//go:build !linux

package crypto

func mapMemory(size int) (memory []byte, locked bool, err error) {
	return make([]byte, size), false, nil
}

func unmapMemory([]byte) {}
