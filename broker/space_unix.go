//go:build linux || darwin

package broker

import "syscall"

// freeBytes returns how much space the file system of a directory has left.
func freeBytes(dir string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), nil
}
