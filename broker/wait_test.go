//go:build unix

package broker_test

import (
	"errors"
	"testing"
	"time"

	"segue/broker"
)

// TestWait holds that a directory in use is waited for, and not for longer than asked.
func TestWait(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := broker.Start(broker.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Shutdown()
	begin := time.Now()
	if _, err := broker.Start(broker.Config{Dir: dir, Wait: 200 * time.Millisecond}); !errors.Is(err, broker.ErrInUse) {
		t.Fatalf("a directory that stays in use: %v", err)
	}
	if took := time.Since(begin); took < 200*time.Millisecond {
		t.Errorf("waited %v only", took)
	}
	time.AfterFunc(100*time.Millisecond, first.Shutdown)
	second, err := broker.Start(broker.Config{Dir: dir, Wait: time.Minute})
	if err != nil {
		t.Fatalf("a directory that becomes free: %v", err)
	}
	second.Shutdown()
}
