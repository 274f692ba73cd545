// Package world runs whole Segue systems through bad luck and checks what
// comes out: real engines and real participants on journal/memory with its
// faults, in virtual time, all of it a function of one seed.
//
//	Run(seed, options) => Report: what was broken, what happened, the trace
//	Plan(seed)         => options of the world that the program sim makes of a seed
//
// A world is made of processes on one broker:
//
//	caller       publishes starts: good, doubled and bad ones, in all three forms; or
//	             sets a schedule that makes the start
//	engine-<i>   orchestrators, which share the partitions
//	worker-<i>   each serves all services
//	operator     watches the journal, cancels some runs, gives stuck ones a retry
//	             and leaves some of them stuck
//
// Engines and workers are killed at planned moments and at the worst ones, and
// come back; the broker crashes; messages are lost, doubled, delayed and
// reordered. What the services are is the play that is performed:
//
//	scripted  => sagas of many shapes. Handlers complete, fail, panic, come too late
//	             and ignore that they are over time, as a hash of seed, run, step and
//	             attempt says. What they do to the outside world they do in a ledger
//	             of effects with a barrier, as the saver does in its database.
//	ingest    => the shipped saga with the shipped services. Origins answer late,
//	             never, in part, packed, moved, with errors, and with another document
//	             each time (origin.go, on net.Pipe); the document store is slow, refuses
//	             and does not say what it did (shelf.go); the saver's statements go
//	             to SQLite in memory through a driver that does the same (database.go).
//	             Processes die before and behind each put, delete, open and commit.
//
// When every run has ended or was left stuck, and all queues are empty, the
// checker compares the journal, the history, the broker's trace and what the
// engines said, with each other and with what the play left in the outside world: the
// ledger, or the rows that an oracle wants of documents that it wrote itself. It
// holds every run against the graph of package saga/check. The rules are written
// where they are checked: see check*.go, oracle.go and the verify of each play.
//
// The same seed gives the same trace, byte by byte. Two things that happen at one
// instant would leave their order to the Go scheduler; so waits in here have odd
// lengths, and who comes to what others use comes at a moment of its own. Run must be
// called in a bubble of testing/synctest.
package world
