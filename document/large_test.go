package document_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"segue/document"
)

// TestLarge holds that no more documents are large at a time than may be, that each
// has its turn, and that one which waits is told apart and ends with its context.
func TestLarge(t *testing.T) {
	t.Parallel()
	const most, documents = 2, 50
	var waited, at, peak atomic.Int64
	large := document.NewLarge(most, func() { waited.Add(1) })
	var all sync.WaitGroup
	for range documents {
		all.Go(func() {
			turn := large.Turn(t.Context())
			defer turn.End()
			for range 3 { // the second and third cost nothing
				if err := turn.Take(); err != nil {
					t.Error(err)
				}
			}
			now := at.Add(1)
			for seen := peak.Load(); now > seen && !peak.CompareAndSwap(seen, now); seen = peak.Load() {
			}
			at.Add(-1)
		})
	}
	all.Wait()
	if peak.Load() > most {
		t.Errorf("%d were large at a time, want at most %d", peak.Load(), most)
	}

	first, second := large.Turn(t.Context()), large.Turn(t.Context())
	if err := errors.Join(first.Take(), second.Take()); err != nil {
		t.Fatal(err)
	}
	before := waited.Load()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	third := large.Turn(ctx)
	if err := third.Take(); !errors.Is(err, context.Canceled) || waited.Load() != before+1 {
		t.Errorf("without a turn left: %v, %d waited", err, waited.Load()-before)
	}
	third.End() // it has none to give back
	second.End()
	second.End()
	if err := large.Turn(t.Context()).Take(); err != nil {
		t.Error(err)
	}
	if err := (*document.Turn)(nil).Take(); err != nil {
		t.Error(err)
	}
}
