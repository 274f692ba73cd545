//go:build unix && !linux

package fleet

import "syscall"

// attributes give a process a group of its own, so that it is killed with its children.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
