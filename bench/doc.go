// Package bench measures how fast Segue moves runs, and how fast the broker alone
// moves the same messages.
//
// A run is a chain of steps that do nothing, each in a service of its own with a
// connection of its own, as is the orchestrator's and that of whoever starts runs.
// Everything is real but the handlers: streams, engine, participants.
//
//	warm-up       => runs that do not count
//	saturation    => so many runs in flight, always: runs a second
//	one in flight => the next run begins when the last has ended: latency
//	half          => runs begin at half the rate of saturation: latency under load
//
// The floor is the work of the broker that no saga can do without: a message that
// begins a run, for each step a command and an outcome, a message that ends it; each
// pulled, answered and acknowledged, without any logic. What Segue has besides (the
// start event, the history, what it knows of a run) is what the ratio shows.
package bench
