package fleet

import "syscall"

// attributes give a process a group of its own, so that it is killed with its
// children, and have the kernel kill it when this process dies.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
