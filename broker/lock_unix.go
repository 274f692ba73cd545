//go:build unix

package broker

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// maxLockFile is the most of a lock file that is read, in bytes.
const maxLockFile = 32

// acquire takes the lock file of a data directory, or returns [ErrInUse] with
// the pid of its holder. The kernel gives the lock up when the process ends,
// however it ends; the file stays, for removing it would let two processes hold
// locks on two files of one name.
func acquire(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = inUse(f)
	}
	if err == nil {
		err = sign(f)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// release gives the lock up. Closing the file alone would not: a process that is
// being started at this moment holds a copy of it until it begins to run.
func release(f *os.File) {
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) // if it fails, Close does it a little later
	_ = f.Close()                                   // nothing was written through it that counts
}

func inUse(f *os.File) error {
	text, _ := io.ReadAll(io.LimitReader(f, maxLockFile)) // the pid is a help, no more
	if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
		return fmt.Errorf("%w by process %d: stop it, or choose another directory", ErrInUse, pid)
	}
	return fmt.Errorf("%w by another process: stop it, or choose another directory", ErrInUse)
}

func sign(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}
