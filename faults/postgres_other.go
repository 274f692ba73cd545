//go:build unix && !linux

package main

import "syscall"

// dieWithUs does nothing where the kernel does not offer it.
func dieWithUs(*syscall.SysProcAttr) {}
