package daemon

import "runtime"

// ballastSize makes the garbage collector wait for twice as many bytes of garbage.
const ballastSize = 32 << 20

// Ballast has the collector run less often in a program that holds little and throws
// away much, as all of Segue's do: each message is garbage when it has been looked at.
// By itself it runs whenever as much garbage has come as is in use, and a few
// megabytes in use are soon thrown away; with ballast at 64 MiB and more. What a
// program needs grows by that much, however large it is, which GOGC would multiply.
//
// It is never touched, so that it takes room in the address space alone. It stays until
// release is called.
func Ballast() (release func()) {
	ballast := make([]byte, ballastSize)
	return func() { runtime.KeepAlive(ballast) }
}
