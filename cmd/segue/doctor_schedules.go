package main

import (
	"context"
	"time"

	"segue/events"
	"segue/journal"
	"segue/journal/jetstream"
	"segue/schedule"
)

// schedules looks whether what starts by the clock does.
func (d *doctor) schedules(ctx context.Context) error {
	list, err := schedules(ctx, d.bus, events.AllSchedules, d.now)
	if err != nil {
		return err
	}
	var next time.Time
	for _, s := range list {
		if err := d.schedule(ctx, s); err != nil {
			return err
		}
		if next.IsZero() || !s.Next.IsZero() && s.Next.Before(next) {
			next = s.Next
		}
	}
	if !next.IsZero() {
		d.add(jetstream.Fine, "schedules", "", "%d are set, the next time of any is %s", len(list), next.Format(time.RFC3339))
	}
	return nil
}

func (d *doctor) schedule(ctx context.Context, s scheduled) error {
	what, age := "schedule "+s.Saga+"/"+s.Schedule, d.now.Sub(s.Last)
	switch {
	case s.Refused != "":
		d.add(jetstream.Alarm, what, "set it anew with segue schedule set, or segue schedule rm", "it starts nothing: %s", s.Refused)
		return nil
	case s.Run == "" || s.Status != "" || age < overdue || age > schedule.DefaultCatchUp:
		return nil
	}
	subject := events.Subject{Kind: events.KindRejected, Definition: s.Saga, Start: s.Run}
	rejections, err := journal.Load(ctx, d.bus.Journal, subject.String())
	switch at := s.Last.Format(time.RFC3339); {
	case err != nil:
		return err
	case len(rejections) > 0:
		d.add(jetstream.Warning, what, "segue rejected ls says why; mend the saga or set the schedule with another input", "its start of %s was rejected", at)
	case d.asleep || d.broker.Orchestrators == 0:
		d.add(jetstream.Note, what, "", "its run of %s waits for an orchestrator", at)
	default:
		d.add(jetstream.Alarm, what, "look at the logs of the orchestrators, and whether starts wait", "its run of %s has not begun", at)
	}
	return nil
}
