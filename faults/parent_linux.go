package main

import "syscall"

// dieWithParent has the kernel stop this process when the one that started it is
// gone: `go run` that is killed does not tell its program.
func dieWithParent() {
	const setParentDeathSignal = 1 // PR_SET_PDEATHSIG
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, setParentDeathSignal, uintptr(syscall.SIGTERM), 0)
}
