package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"segue/document"
	"segue/events"
	"segue/journal"
	"segue/schedule"
)

// timetable is when this engine starts runs by the clock. Every engine keeps all
// schedules, and none has to know what another has started: the run of a time has
// one id, and the broker drops the second start of the same moment.
type timetable struct {
	*Engine
	lines   map[string]*line // subject => schedule
	started time.Time        // when the last start was published
	marked  time.Time        // what the mark says
	saved   time.Time        // when it was stored
}

// line is a schedule under way.
type line struct {
	*schedule.Schedule
	done time.Time // up to then all that was due is started
	next time.Time // when to look again
}

// scheduleRest is the longest time between two looks at the timetable.
const scheduleRest = time.Hour

// keepSchedules starts runs by the clock until ctx is done.
func (e *Engine) keepSchedules(ctx context.Context) error {
	feed, before, err := e.follow(ctx, events.AllSchedules)
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil:
		return fmt.Errorf("follow schedules: %w", err)
	}
	defer feed.Close()
	t := &timetable{Engine: e, lines: make(map[string]*line)}
	if t.restore(ctx) != nil {
		return nil
	}
	for _, record := range before {
		t.take(ctx, record, t.marked)
	}
	for {
		t.startDue(ctx)
		t.save(ctx)
		wait, cancel := context.WithTimeout(ctx, t.rest())
		record, err := feed.Next(wait)
		cancel()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, context.DeadlineExceeded): // something may be due
		case err != nil:
			return fmt.Errorf("follow schedules: %w", err)
		default:
			t.take(ctx, record, time.Time{})
		}
	}
}

// rest returns how long nothing is due.
func (t *timetable) rest() time.Duration {
	rest, now := scheduleRest, t.clock.Now()
	if t.unsaved() {
		rest = t.saved.Add(markRest).Sub(now)
	}
	for _, l := range t.lines {
		if !l.next.IsZero() {
			rest = min(rest, l.next.Sub(now))
		}
	}
	return max(rest, 0)
}

// take enters what was set or removed, of which all up to a time is started. Anyone may
// have published it: what is refused starts nothing, and what there was goes all the
// same, as it would at the next start of an engine.
func (t *timetable) take(ctx context.Context, record journal.Record, done time.Time) {
	delete(t.lines, record.Subject)
	err := persist(ctx, t.Log, "reading a schedule", func() error {
		s, err := ReadSchedule(ctx, t.Data, record)
		var r *refusal
		switch {
		case errors.As(err, &r):
			t.Log.Warn("schedule is refused: it starts nothing", "subject", record.Subject, "sequence", record.Sequence, "reason", r.reason)
			return nil
		case err != nil:
			return err
		case s != nil:
			t.lines[record.Subject] = &line{Schedule: s, done: done, next: t.clock.Now()}
		}
		return nil
	})
	if err == nil {
		t.Log.Info("schedule is read", "subject", record.Subject, "set", t.lines[record.Subject] != nil)
	}
}

// ReadSchedule returns the schedule in a message, nil if it removes one. It is an error
// if the message does neither, or its data is not to be had.
func ReadSchedule(ctx context.Context, store document.Store, record journal.Record) (*schedule.Schedule, error) {
	refuse := func(err error) (*schedule.Schedule, error) { return nil, &refusal{err.Error()} }
	subject, err := events.ParseSubject(record.Subject)
	if err != nil {
		return refuse(err)
	}
	event, err := events.DecodeSchedule(record.Message)
	if err != nil {
		return refuse(err)
	}
	if event.Type == events.TypeScheduleRemoved {
		return nil, nil
	}
	var data events.ScheduleSet
	if err := readData(ctx, store, event, &data); err != nil {
		return nil, err
	}
	s, err := schedule.New(subject, data, record.Stored)
	if err != nil {
		return refuse(err)
	}
	return s, nil
}

// due is a time that has come.
type due struct {
	*line
	at time.Time
}

// startDue starts the runs whose time has come.
func (t *timetable) startDue(ctx context.Context) {
	now := t.clock.Now()
	var looked []*line
	var come []due
	for _, subject := range slices.Sorted(maps.Keys(t.lines)) {
		l := t.lines[subject]
		if l.next.IsZero() || l.next.After(now) {
			continue
		}
		looked = append(looked, l)
		if at := l.Due(l.done, now); !at.IsZero() {
			come = append(come, due{l, at})
		}
	}
	if len(come) > 0 {
		if persist(ctx, t.Log, "publishing the starts of schedules", func() error { return t.publish(ctx, come) }) != nil {
			return
		}
		t.started = now
	}
	for _, l := range looked {
		l.done, l.next = now, l.Next(now)
	}
}

// publish publishes the starts of runs that are not known. After an error some may have
// been published.
func (t *timetable) publish(ctx context.Context, come []due) error {
	var starts []events.Message
	var logs []*slog.Logger
	for _, d := range come {
		subject, run := d.Subject(), d.Run(d.at)
		known, err := t.known(ctx, run)
		if err != nil {
			return err
		}
		if known {
			continue
		}
		log := t.Log.With("schedule", subject.String(), "at", d.at, "run", run, "correlation_id", schedule.Correlation(subject))
		event, err := document.CheckIn(ctx, t.Data, d.Start(d.at))
		switch {
		case errors.Is(err, document.ErrDataTooLarge):
			log.Error("schedule cannot publish a start", "error", err)
			continue
		case err != nil:
			return err
		}
		m := events.Encode(events.StartSubject(subject.Definition).String(), event)
		m.Header.Set(events.HeaderMsgID, run) // others publish it at the same moment
		starts, logs = append(starts, m), append(logs, log)
	}
	if err := t.Journal.Append(ctx, starts...); err != nil {
		return err
	}
	for _, log := range logs {
		log.Info("schedule has published a start")
	}
	return nil
}

// known says whether a run is in the journal or the history.
func (e *Engine) known(ctx context.Context, run string) (bool, error) {
	records, err := e.Journal.Load(ctx, events.RunSubject(events.KindStarted, run, e.partitions).String())
	if err != nil {
		return false, fmt.Errorf("look for run %s in the journal: %w", run, err)
	}
	if len(records) > 0 {
		return true, nil
	}
	return e.inHistory(ctx, run)
}
