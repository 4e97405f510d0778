#include "textflag.h"

// func call(f uintptr, clock int32, t *unix.Timespec) int32
//
// System V AMD64 ABI: arguments in DI and SI, result in AX, R12 is kept by the
// function called, and the stack is a multiple of 16. The function gets the frame
// for its stack: it needs some hundred bytes, but kernels that were built with
// stack probes touch a page and a bit below it.
TEXT ·call(SB), 0, $6144-28
	MOVQ f+0(FP), AX
	MOVL clock+8(FP), DI
	MOVQ t+16(FP), SI
	MOVQ SP, R12
	LEAQ 6080(SP), SP
	ANDQ $~15, SP
	CALL AX
	MOVQ R12, SP
	MOVL AX, ret+24(FP)
	RET
