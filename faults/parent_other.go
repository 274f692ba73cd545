//go:build unix && !linux

package main

// dieWithParent does nothing where the kernel does not offer it.
func dieWithParent() {}
