package check

import (
	"time"

	"segue/events"
	"segue/saga"
)

// The times of a skeleton, and the instants at which a walk asks for decisions:
// when every retry is due and nothing has timed out, and when everything has.
const (
	skeletonBackoff  = time.Second
	skeletonTimeout  = time.Minute
	skeletonDeadline = time.Hour

	retriesDue = skeletonBackoff * 2
	timeIsUp   = skeletonDeadline * 2
)

// skeleton returns the definition with all that does not matter to the order of
// things taken out: what is said in messages, how long things take, how many
// attempts a policy of more than one has. Of inputs and conditions only those stay
// that can never be made, whatever a run is given.
func skeleton(d *saga.Definition) *saga.Definition {
	bare := *d
	bare.Output, bare.Deadline = saga.Template{}, skeletonDeadline
	bare.Steps = make([]saga.Step, len(d.Steps))
	for i, s := range d.Steps {
		if s.When.Hopeless() == nil {
			s.When = saga.Template{}
		}
		if s.With.Hopeless() == nil {
			s.With = saga.Template{}
		}
		s.Timeout, s.Retry = skeletonTimeout, skeletonPolicy(s.Retry)
		if s.Undo != nil {
			s.Undo = &saga.Undo{Timeout: skeletonTimeout, Retry: skeletonPolicy(s.Undo.Retry)}
		}
		bare.Steps[i] = s
	}
	return &bare
}

func skeletonPolicy(p saga.Policy) saga.Policy {
	bare := saga.Policy{Attempts: p.Attempts, Backoff: skeletonBackoff, Max: skeletonBackoff}
	if p.Attempts > 1 && p.Attempts != saga.Unlimited {
		bare.Attempts = saga.MaxAttempts
	}
	return bare
}

// begin returns a run of a skeleton that has only started.
func begin(d *saga.Definition) *saga.Run {
	started := events.Entry{
		Subject:  events.Subject{Kind: events.KindStarted, Run: "walk"},
		Event:    events.Event{ID: "started", Type: events.TypeRunStarted},
		Stored:   epoch,
		Sequence: 1,
	}
	started.Event.Data = events.MarshalData(events.RunStarted{Saga: d.Name, Digest: d.Digest, Input: []byte("null")})
	run, err := saga.Begin(d, started)
	if err != nil {
		panic("check: begin: " + err.Error()) // unreachable: the message is made for the definition
	}
	return run
}
