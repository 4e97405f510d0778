// Package boottime reads the clock that leases are counted on: CLOCK_BOOTTIME, the
// time since the host was booted, suspend included.
//
// Every answer looks at it once, and Go knows only how to ask the kernel for it,
// which takes 0.1 to 1.3 µs. Like the clocks of package time it can be read
// without a system call, by a function that the kernel maps into each process, the
// vDSO (vdso(7)): 0.04 µs. On linux/amd64 Now calls that.
package boottime
