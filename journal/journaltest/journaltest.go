// Package journaltest is the conformance suite of package journal: what every
// sentence of the seam promises, as tests that each implementation passes.
//
// A test opens a journal of its own, so that it finds nothing stored. What an
// implementation cannot show (a restart, say) it leaves out of its [Factory];
// the tests that need it are then skipped with the reason.
package journaltest

import (
	"testing"
	"time"

	"segue/journal"
)

// Factory makes the journals under test. Only Open is required.
type Factory struct {
	// Open returns a new, empty journal and leaves its cleanup to t.Cleanup.
	Open func(t *testing.T) journal.Journal

	// Within runs each test, for instance in a bubble of testing/synctest. Nil
	// runs them as they are, in parallel and in real time.
	Within func(t *testing.T, test func(t *testing.T))

	// Lease is how long the journals of Open lease a message. Opening them with
	// about a second keeps the suite fast; over [MaxLease], in real time, tests
	// that wait for it are skipped. Defaults to [journal.Lease].
	Lease time.Duration

	// Peer returns a second handle to a journal, as another process would have it.
	Peer func(t *testing.T, j journal.Journal) journal.Journal

	// Kill makes a handle vanish as a killed process does: nothing is given back,
	// said or settled.
	Kill func(t *testing.T, j journal.Journal)

	// Restart stops the broker behind an open journal hard and starts it again
	// with what it had stored. The handle stays in use.
	Restart func(t *testing.T, j journal.Journal)

	// OpenLimited is Open with a size limit on each stream, in bytes.
	OpenLimited func(t *testing.T, maxBytes int64) journal.Journal
}

// MaxLease is the longest lease that the suite waits for in real time.
const MaxLease = 5 * time.Second

// Run runs the suite with nothing but a way to open journals.
func Run(t *testing.T, open func(t *testing.T) journal.Journal) {
	Factory{Open: open}.Run(t)
}

// Run runs the suite. Each test is a subtest of t.
func (f Factory) Run(t *testing.T) {
	if f.Lease == 0 {
		f.Lease = journal.Lease
	}
	for _, group := range []struct {
		name  string
		tests []test
	}{
		{"Append", appendTests},
		{"Load", loadTests},
		{"Follow", followTests},
		{"Keep", keepTests},
		{"Purge", purgeTests},
		{"Consume", consumeTests},
		{"Settle", settleTests},
		{"Lease", leaseTests},
		{"Members", memberTests},
		{"Life", lifeTests},
	} {
		t.Run(group.name, func(t *testing.T) {
			t.Parallel()
			for _, test := range group.tests {
				t.Run(test.name, func(t *testing.T) { f.run(t, test) })
			}
		})
	}
}

// test is one test of the suite; its name says what holds.
type test struct {
	name string
	run  func(*bench)
}

func (f Factory) run(t *testing.T, test test) {
	t.Parallel()
	within := f.Within
	if within == nil {
		within = func(t *testing.T, test func(*testing.T)) { test(t) }
	}
	within(t, func(t *testing.T) { test.run(newBench(t, f)) })
}
