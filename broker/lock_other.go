//go:build !unix

package broker

import "os"

// acquire makes the lock file of a data directory. There is no flock here: that
// only one process opens the directory is left to the user.
func acquire(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
}

// release closes the lock file.
func release(f *os.File) { _ = f.Close() }
