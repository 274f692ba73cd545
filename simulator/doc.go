// Package simulator runs whole Segue systems through bad luck and checks what
// comes out: real engines and real participants on journal/memory with its
// faults, in virtual time, all of it a function of one seed.
//
//	Run(seed, options) => Report: what was broken, what happened, the trace
//
// A world is made of processes on one broker:
//
//	caller       publishes starts: good, doubled and bad ones, in all three forms
//	engine-<i>   orchestrators, which share the partitions
//	worker-<i>   each serves all services, whose handlers follow a script
//	operator     watches the journal, cancels some runs, gives stuck ones a retry
//
// Engines and workers are killed at planned moments and at the worst ones (before
// and after an append), and come back; the broker crashes; messages are lost,
// doubled, delayed and reordered. Handlers complete, fail, panic, come too late
// and ignore that they are over time, as a hash of seed, run, step and attempt
// says. What they do to the outside world they do in a ledger of effects with a
// barrier, as the saver does in its database.
//
// When every run has ended and all queues are empty, the checker compares the
// journal, the ledger, the broker's trace and what the engines said. Its rules
// are written where they are checked: see check*.go.
//
// The same seed gives the same trace, byte by byte. Run must be called in a
// bubble of testing/synctest.
package simulator
