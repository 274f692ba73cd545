package main

import "syscall"

// dieWithUs has the kernel kill a process when this one dies.
func dieWithUs(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGKILL }
