//go:build unix

package broker

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// TestLockIsFreeAtOnce takes and releases a lock while other processes are being
// started, each of which holds a copy of every open file until it begins to run.
func TestLockIsFreeAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-done:
				return
			default:
				_ = exec.Command("true").Run() // whether it runs does not matter, that it is started does
			}
		}
	}()
	defer func() { close(done); <-stopped }()
	for i := range 2_000 {
		f, err := acquire(path)
		if err != nil {
			t.Fatalf("take the lock, time %d: %v", i+1, err)
		}
		release(f)
	}
}
