//go:build unix

package main

import (
	"context"
	"fmt"
	"time"

	"segue/events"
	"segue/faults/fleet"
	"segue/journal"
)

func init() {
	register(Fault{
		Name:  "schedules",
		Goal:  "each second has one run, not early, within 100 ms in the median, and when one dies with the start in its hands within a lease and 1 s of there being another; of those at which none was, the last has",
		Limit: 90 * time.Second, LongLimit: 30 * time.Minute,
		Run: schedules,
	})
}

// inHand is how long a start takes that is on its way when orchestrators are killed.
const inHand = 100 * time.Millisecond

// everySecond is the schedule of the fault.
var everySecond = events.ScheduleSubject("act", "every-second")

// schedules has a schedule start a run each second while orchestrators are killed and
// started again, one at a time and then all.
func schedules(ctx context.Context, b *Bench) (r Report, err error) {
	// A start that has been in the hands of one who was killed comes again between two kills.
	kills, away, lease := b.Pick(8, 200), 4*time.Second, time.Duration(b.Pick(1700, 29_700))*time.Millisecond
	cfg, err := b.actors(b.Dir, 3, 1)
	if err != nil {
		return r, err
	}
	cfg.Env = []string{fmt.Sprintf("SEGUE_LEASE=%v", lease)} // of a start in the hands of an orchestrator, too
	s, err := b.Stage(ctx, cfg, nil)
	if err != nil {
		return r, err
	}
	s.begin = time.Now()
	set := events.Message{Subject: everySecond.String(), Data: []byte(`{"every":"1s","input":{"do":"ok","at":"","ms":0}}`)}
	if err := s.Publish(ctx, set); err != nil {
		return r, err
	}
	for range kills {
		member := cfg.Members[b.Rand.IntN(3)]
		second := time.Now().Truncate(time.Second).Add(time.Second)
		pause(ctx, time.Until(second)+b.between(0, 20*time.Millisecond)) // while it starts a run
		s.Kill(member)
		pause(ctx, b.between(500*time.Millisecond, 2*time.Second))
		if err := s.Start(member); err != nil {
			return r, err
		}
		if err := s.Ready(ctx, member); err != nil {
			return r, err
		}
	}
	gone := time.Now().Add(-inHand) // this machine's clock is the broker's, too
	for _, member := range cfg.Members[:3] {
		s.Kill(member)
	}
	pause(ctx, away)
	for _, member := range cfg.Members[:3] {
		if err := s.Start(member); err != nil {
			return r, err
		}
	}
	for _, member := range cfg.Members[:3] {
		if err := s.Ready(ctx, member); err != nil {
			return r, err
		}
	}
	back := time.Now()
	pause(ctx, 2*time.Second) // of times that are as before
	removed := events.Event{ID: "removed", Source: fleet.Source, Type: events.TypeScheduleRemoved}
	if err := s.Publish(ctx, events.Encode(everySecond.String(), removed)); err != nil {
		return r, err
	}
	r.Did = fmt.Sprintf("3 orchestrators, a run each second for %.0f s, %d kills -9 of one of them at the moment of a start, then of all, for %v, lease %v", time.Since(s.begin).Seconds(), kills, away, lease)
	return r, s.judgeTimes(ctx, &r, gone, back, lease+away+time.Second)
}

// judgeTimes compares the runs with the seconds, of which some may be missed: those at
// which no orchestrator was there. The others have begun within a limit.
func (s *Scene) judgeTimes(ctx context.Context, r *Report, gone, back time.Time, limit time.Duration) error {
	pause(ctx, 2*time.Second) // whoever has not heard that it was removed starts another
	if err := fleet.Within(ctx, drainLimit, func() error { return s.Drained(ctx) }); err != nil {
		return fmt.Errorf("queues: %w", err)
	}
	begun := make(map[time.Time]time.Time)
	var first, last time.Time
	err := s.Read(ctx, "SAGA_RUNS", "saga.run.*.*.started", func(record journal.Record) error {
		e, err := record.Entry()
		if err != nil {
			return err
		}
		at, err := time.Parse(time.RFC3339, e.Event.CausationID)
		if err != nil {
			return fmt.Errorf("run %s was started by %q, which is no time: %w", e.Subject.Run, e.Event.CausationID, err)
		}
		if first.IsZero() || at.Before(first) {
			first = at
		}
		if at.After(last) {
			last = at
		}
		begun[at] = record.Stored
		s.Tasks = append(s.Tasks, &fleet.Task{ID: e.Event.CausationID, Source: events.ScheduleSource(everySecond), Saga: "act"})
		return nil
	})
	if err != nil {
		return err
	}
	missing, missed, early := 0, 0, 0
	var late []time.Duration
	var madeUp time.Duration
	for at := first; !at.After(last); at = at.Add(time.Second) {
		was, nobody := begun[at], at.After(gone) && at.Before(back)
		switch {
		case was.IsZero() && nobody:
			missed++
		case was.IsZero():
			missing++
		case was.Before(at):
			early++
		case nobody:
			madeUp = max(madeUp, was.Sub(at))
		default:
			late = append(late, was.Sub(at))
		}
	}
	r.Want(missing == 0 && early == 0, "%d seconds, %d without a run and %d too early", int(last.Sub(first).Seconds())+1, missing, early)
	median, most := quantile(late, 0.5), quantile(late, 1)
	r.Want(median <= 100*time.Millisecond && most <= limit, "%d ms late in the median, %d at most", median.Milliseconds(), most.Milliseconds())
	r.Want(missed > 0 && madeUp > 0, "of %d seconds at which none was ready the last was made up for, %.1f s late", missed+1, madeUp.Seconds())
	if err := s.settle(ctx, r); err != nil {
		return err
	}
	return s.b.onceEach(r, len(s.Tasks))
}
