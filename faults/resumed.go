//go:build unix

package main

import (
	"context"
	"time"

	"segue/events"
	"segue/faults/fleet"
	"segue/journal"
)

// blow is the kill of a member.
type blow struct {
	member string
	at     time.Time
}

// answered is a command with its outcome, by when they were stored.
type answered struct {
	service  string
	sequence uint64
	from, to time.Time
}

// resumed returns the longest time from the kill of a service to the outcome of
// the command that it had had in hand for longest: its lease, and what it took to
// do it again. Where the service was killed again meanwhile, that is what counts.
func resumed(ctx context.Context, c *fleet.Client, blows []blow) (longest time.Duration, err error) {
	commands, err := answers(ctx, c)
	if err != nil {
		return 0, err
	}
	for i, b := range blows {
		var oldest answered
		for _, a := range commands {
			if a.service == b.member && a.from.Before(b.at) && a.to.After(b.at) && (oldest.sequence == 0 || a.sequence < oldest.sequence) {
				oldest = a
			}
		}
		again := false
		for _, later := range blows[i+1:] {
			again = again || later.member == b.member && later.at.Before(oldest.to)
		}
		if oldest.sequence > 0 && !again {
			longest = max(longest, oldest.to.Sub(b.at))
		}
	}
	return longest, nil
}

// answers returns the commands that services have answered; a timeout is nobody's answer.
func answers(ctx context.Context, c *fleet.Client) (all []answered, err error) {
	open := make(map[events.Subject]answered)
	err = c.Read(ctx, "SAGA_RUNS", events.AllRuns, func(r journal.Record) error {
		e, err := r.Entry()
		if err != nil {
			return err
		}
		switch e.Subject.Kind {
		case events.KindCommand:
			open[e.Subject] = answered{service: e.Subject.Service, sequence: r.Sequence, from: r.Stored}
		case events.KindOutcome:
			if e.Event.Type != events.TypeStepTimedOut && e.Event.Type != events.TypeUndoTimedOut {
				a := open[e.Subject.With(events.KindCommand)]
				a.to = r.Stored
				all = append(all, a)
			}
		}
		return nil
	})
	return all, err
}
