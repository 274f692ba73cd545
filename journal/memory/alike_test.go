package memory_test

import (
	"sync"
	"testing"
	"time"

	"segue/journal/memory"
)

// Of equal requests that a client sends at one instant, nothing but the Go
// scheduler says which is first. So they are answered at one instant, or all lost.
func TestAlikeRequestsShareTheirFate(t *testing.T) {
	within(t, memory.Config{Faults: memory.Faults{LostAppend: 0.3, LostAck: 0.3}}, func(t *testing.T, j *memory.Journal) {
		type fate struct {
			at  time.Time
			err bool
		}
		happened := make(map[bool]int)
		for range 50 {
			fates := make([]fate, 4)
			var all sync.WaitGroup
			for i := range fates {
				all.Go(func() {
					_, err := j.Info(t.Context())
					fates[i] = fate{time.Now(), err != nil}
				})
			}
			all.Wait()
			for _, f := range fates {
				if f != fates[0] {
					t.Fatalf("the fates of equal requests are %v", fates)
				}
			}
			happened[fates[0].err]++
		}
		if happened[true] == 0 || happened[false] == 0 {
			t.Errorf("lost and answered: %v; want both", happened)
		}
	})
}
