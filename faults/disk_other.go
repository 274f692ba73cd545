//go:build unix && !linux

package main

import "os"

func (d *disk) powerCut() error { return Cannot("cutting the power of a disk takes Linux") }

func freeBytes(string) (int64, error) { return 0, Cannot("filling a disk takes Linux") }

func reserve(*os.File, int64) error { return Cannot("filling a disk takes Linux") }
