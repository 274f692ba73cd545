// Package saga is the pure core: what a saga is, what state a run is in and what
// has to happen next. It has no clock, goroutine, logger, randomness or I/O;
// everything that happens comes in as an [events.Entry], and everything that is
// to happen goes out as one.
//
//	Load(text)                => Definition, checked
//	Begin(definition, entry)  => Run, from its started message
//	Run.Apply(entry)          => the run with one more message
//	Run.Decide(now)           => messages that ought to be in the journal and are not,
//	                             and the instant at which to ask again
//	Run.View()                => the run as people see it
//	Run.Do(i), Run.Undo(i)    => where the attempts at a step, and at its undo, stand
//
// # Rules
//
// A run's state is the set of its messages. Each fills a place that is named by
// its subject and is filled once; so messages may be applied in any order and
// more than once, and the result is the same.
//
//  1. A step runs when all it needs has completed, or was skipped. One whose when is
//     false then is skipped: it counts as completed, has no output, and there is
//     nothing to undo. An attempt that failed did nothing; one that timed out leaves
//     unknown what it did.
//  2. A run turns back when a step is exhausted, when it is canceled or when its
//     deadline has passed, whichever comes first in the journal. Then no attempt
//     begins, running ones are awaited to their outcome, and every step that
//     completed or is unknown, and has an undo, is undone: after all that depend
//     on it. A step without undo is left as it is; it should say that there is
//     nothing to undo ("undo: false"), or package check refuses the definition.
//  3. A run whose last step completes before it turns back is completed.
//  4. Once the pivot step has completed, or may have, or was skipped, the run does not
//     turn back but is driven on. A step with unlimited attempts is tried again for ever from
//     then on, also when it fails for good; one that is exhausted makes the run
//     stuck, and its definition is one that package check refuses.
//  5. An undo that is exhausted makes the run stuck. A retry signal gives
//     whatever is stuck, now or later, one more round of attempts.
//  6. A run ends once. Nothing is decided after that.
//
// Time only says when to write a message; what is written is decided by the
// messages. So two deciders at once, or one that repeats itself, do no harm.
//
// One decision rests on what is not there: turning back means that no step is
// running, while another decider, which has read less of the journal, may be
// about to start one. So a run that turns back first takes the subject of each
// command that could still be written, with a withheld message. Either that is
// stored, and the step will never run; or the command was there first, and the
// step is awaited like any other.
package saga
