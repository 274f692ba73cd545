package memory_test

import (
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"segue/journal"
	"segue/journal/journaltest"
	"segue/journal/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, c memory.Config) *memory.Journal {
	j := memory.New(c)
	t.Cleanup(j.Close)
	return j
}

// factory makes journals of a configuration for the conformance suite.
func factory(c memory.Config) journaltest.Factory {
	return journaltest.Factory{
		Lease: c.Lease,
		Open:  func(t *testing.T) journal.Journal { return open(t, c) },
		OpenLimited: func(t *testing.T, maxBytes int64) journal.Journal {
			limited := c
			limited.MaxBytes = maxBytes
			return open(t, limited)
		},
		Peer: func(_ *testing.T, j journal.Journal) journal.Journal {
			return j.(*memory.Journal).Client("peer")
		},
		Kill:    func(_ *testing.T, j journal.Journal) { j.(*memory.Client).Kill() },
		Restart: func(_ *testing.T, j journal.Journal) { j.(*memory.Journal).Crash(20 * time.Millisecond) },
	}
}

func TestConformanceInRealTime(t *testing.T) {
	t.Parallel()
	factory(memory.Config{Lease: time.Second, Timeout: 10 * time.Second}).Run(t)
}

func TestConformanceInVirtualTime(t *testing.T) {
	t.Parallel()
	f := factory(memory.Config{Seed: 1, Latency: 3 * time.Millisecond, Timeout: 100 * time.Millisecond})
	f.Within = synctest.Test
	f.Run(t)
}
