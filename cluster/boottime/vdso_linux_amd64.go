package boottime

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// clockGettime is the address of the vDSO's clock_gettime(2), 0 if it has none that
// knows CLOCK_BOOTTIME.
var clockGettime = sync.OnceValue(func() uintptr {
	f := find("__vdso_clock_gettime")
	var t unix.Timespec
	if f == 0 || call(f, unix.CLOCK_BOOTTIME, &t) != 0 {
		return 0
	}
	return f
})

// mapped reads the clock through the vDSO if it can.
func mapped(t *unix.Timespec) bool {
	f := clockGettime()
	return f != 0 && call(f, unix.CLOCK_BOOTTIME, t) == 0
}

// call calls a function like clock_gettime(2), which returns 0 or a negative errno.
// Its stack is the goroutine's. A signal meanwhile finds a place that belongs to no
// Go function: it does not preempt there, and a profile counts it as outside code.
//
//go:noescape
func call(f uintptr, clock int32, t *unix.Timespec) int32

// find returns the address of a function in the vDSO, an ELF file in memory; 0 if
// there is none.
func find(name string) uintptr {
	image := vdso()
	if image == nil {
		return 0
	}
	file, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return 0
	}
	defer file.Close()
	symbols, err := file.DynamicSymbols()
	if err != nil {
		return 0
	}
	for _, segment := range file.Progs {
		if segment.Type != elf.PT_LOAD {
			continue
		}
		for _, s := range symbols {
			if s.Name == name && elf.ST_TYPE(s.Info) == elf.STT_FUNC && s.Value >= segment.Vaddr {
				return uintptr(unsafe.Pointer(unsafe.SliceData(image))) + uintptr(s.Value-segment.Vaddr+segment.Off)
			}
		}
		break // it has one, which the whole file lies in
	}
	return 0
}

// vdso returns the file that the kernel has mapped, nil if it has not.
func vdso() []byte {
	const baseOfVDSO = 33 // AT_SYSINFO_EHDR of getauxval(3)
	vector, err := unix.Auxv()
	if err != nil {
		return nil
	}
	for _, entry := range vector {
		if entry[0] != baseOfVDSO || entry[1] == 0 {
			continue
		}
		start := *(*unsafe.Pointer)(unsafe.Pointer(&entry[1])) // no Go memory: it does not move
		header := unsafe.Slice((*byte)(start), 64)             // of ELF64
		// The table of sections comes last.
		sections, each, count := binary.LittleEndian.Uint64(header[40:]), binary.LittleEndian.Uint16(header[58:]), binary.LittleEndian.Uint16(header[60:])
		const most = 64 << 10
		if size := sections + uint64(each)*uint64(count); size <= most {
			return unsafe.Slice((*byte)(start), size)
		}
	}
	return nil
}
