package main

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

// Of linux/fs: the ioctl that stops a file system, and what to do with its journal.
const (
	ioctlShutdown = 0x8004587d // EXT4_IOC_SHUTDOWN
	noLogFlush    = 2          // leave it as it is on the disk: that is what a power cut does
)

// powerCut stops the file system as if its power had gone: what was not synced
// is lost, and all further use is an error until it is mounted anew.
func (d *disk) powerCut() error {
	dir, err := os.Open(d.dir)
	if err != nil {
		return fmt.Errorf("cut power: %w", err)
	}
	defer dir.Close()
	flag := uint32(noLogFlush)
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, dir.Fd(), ioctlShutdown, uintptr(unsafe.Pointer(&flag))); errno != 0 {
		return Cannot("the file system knows no EXT4_IOC_SHUTDOWN: %v", errno)
	}
	return nil
}

// freeBytes returns how much space a file system has for everybody.
func freeBytes(dir string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("ask for free space: %w", err)
	}
	return int64(s.Bavail) * s.Bsize, nil
}

// reserve gives a file space without writing to it: so many bytes, or what there is.
func reserve(f *os.File, size int64) error {
	for at, step := int64(0), size; at < size && step >= 4<<10; {
		switch err := syscall.Fallocate(int(f.Fd()), 0, at, min(step, size-at)); err {
		case nil:
			at += step
		case syscall.ENOSPC:
			step /= 2
		case syscall.EINTR:
		default:
			return err
		}
	}
	return nil
}
