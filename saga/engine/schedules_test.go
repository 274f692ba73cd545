package engine_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"segue/events"
	"segue/journal"
	"segue/journal/memory"
	"segue/saga/engine"
	"segue/schedule"
)

var hourly = events.ScheduleSubject("one", "hourly")

// schedule sets a schedule as segue schedule set does.
func (s *stage) schedule(subject events.Subject, data events.ScheduleSet) {
	s.t.Helper()
	s.publish(events.Encode(subject.String(), events.Event{
		ID: events.NewStartID(), Source: events.Client, Type: events.TypeScheduleSet,
		DataContentType: events.JSON, Data: events.MarshalData(data),
	}))
}

// unschedule removes a schedule.
func (s *stage) unschedule(subject events.Subject) {
	s.t.Helper()
	s.publish(events.Encode(subject.String(), events.Event{ID: events.NewStartID(), Source: events.Client, Type: events.TypeScheduleRemoved}))
}

// startedBy returns the times of a schedule that have a run in the journal, as hours
// and minutes, and holds that each run began at its time or behind it.
func (s *stage) startedBy(subject events.Subject) string {
	s.t.Helper()
	records, err := journal.Load(s.ctx, s.broker, "saga.run.*.*.started")
	if err != nil {
		s.t.Fatal(err)
	}
	var times []string
	for _, r := range records {
		entry, err := r.Entry()
		if err != nil {
			s.t.Fatal(err)
		}
		if entry.Event.CorrelationID != schedule.Correlation(subject) {
			continue
		}
		at, err := time.Parse(time.RFC3339, entry.Event.CausationID)
		if err != nil {
			s.t.Fatal(err)
		}
		if entry.Stored.Before(at) {
			s.t.Errorf("the run of %v began at %v", at, entry.Stored)
		}
		times = append(times, at.Format("15:04"))
	}
	slices.Sort(times)
	return strings.Join(times, " ")
}

func (s *stage) wantStarted(subject events.Subject, want string) {
	s.t.Helper()
	if got := s.startedBy(subject); got != want {
		s.t.Errorf("at %s runs of %s have begun at %q, want %q\n%s",
			time.Now().UTC().Format(time.TimeOnly), subject, got, want, s.logs.text.String())
	}
}

var everyHour = events.ScheduleSet{Every: "1h", Input: []byte(`{"n":1}`)}

// TestSchedule holds that each time of a schedule has its run, as soon as it comes, from
// the time it is set until it is removed, with one engine or several.
func TestSchedule(t *testing.T) {
	onStage(t, memory.Config{}, func(s *stage) {
		s.serve(func(events.Entry) answer { return completed })
		for _, id := range []string{"a", "b", "c"} {
			s.engine(id, nil, load(t, one))
		}
		passes(30 * time.Minute)
		s.schedule(hourly, everyHour)
		passes(29 * time.Minute)
		s.wantStarted(hourly, "")
		passes(time.Minute + lateness)
		s.wantStarted(hourly, "01:00")
		passes(2 * time.Hour)
		s.wantStarted(hourly, "01:00 02:00 03:00")
		s.schedule(hourly, events.ScheduleSet{Cron: "*/20 4-6 * * *", Input: []byte(`{"n":2}`)})
		passes(time.Hour)
		s.wantStarted(hourly, "01:00 02:00 03:00 04:00")
		passes(30 * time.Minute)
		s.unschedule(hourly)
		passes(3 * time.Hour)
		s.wantStarted(hourly, "01:00 02:00 03:00 04:00 04:20")
		if n := len(s.ended()); n != 5 {
			t.Errorf("%d runs have ended, want 5", n)
		}
	})
}

// ended returns the runs that have ended and are in the journal.
func (s *stage) ended() []journal.Record {
	s.t.Helper()
	records, err := journal.Load(s.ctx, s.broker, events.AllEnds)
	if err != nil {
		s.t.Fatal(err)
	}
	return records
}

// TestScheduleBare holds that a schedule can be typed into nats pub.
func TestScheduleBare(t *testing.T) {
	onStage(t, memory.Config{}, func(s *stage) {
		s.engine("a", nil, load(t, one))
		s.publish(events.Message{Subject: hourly.String(), Data: []byte(`{"every":"1h","input":{"n":1}}`)})
		passes(time.Hour + lateness)
		s.wantStarted(hourly, "01:00")
	})
}

// TestScheduleMany holds that many schedules may have the same time.
func TestScheduleMany(t *testing.T) {
	const many = 300
	onStage(t, memory.Config{}, func(s *stage) {
		s.engine("a", nil, load(t, one))
		for n := range many {
			s.schedule(events.ScheduleSubject("one", fmt.Sprint("s-", n)), everyHour)
		}
		passes(time.Hour + time.Second)
		if records, err := journal.Load(s.ctx, s.broker, "saga.run.*.*.started"); err != nil || len(records) != many {
			t.Errorf("%d runs have begun, %v, want %d", len(records), err, many)
		}
	})
}

// TestScheduleMissed holds that of the times at which no engine was there the last is
// made up for, once, unless it is too late.
func TestScheduleMissed(t *testing.T) {
	onStage(t, memory.Config{}, func(s *stage) {
		first := s.engine("a", nil, load(t, one))
		s.schedule(hourly, everyHour)
		other := events.ScheduleSubject("one", "other")
		s.schedule(other, events.ScheduleSet{Cron: "30 1 * * *", CatchUp: "1h", Input: []byte(`{"n":1}`)})
		passes(time.Hour + time.Minute)
		if err := first.stop(); err != nil {
			t.Fatal(err)
		}
		passes(3 * time.Hour)
		for _, id := range []string{"b", "c"} {
			s.engine(id, nil, load(t, one))
			passes(time.Second)
			s.wantStarted(hourly, "01:00 04:00")
			s.wantStarted(other, "")
			if n := s.logs.count("schedule has published a start"); n != 2 {
				t.Errorf("with engine %s %d starts are logged, want 2", id, n)
			}
		}
	})
}

// TestScheduleKnows holds that no run begins a second time when it has left the journal.
func TestScheduleKnows(t *testing.T) {
	onStage(t, memory.Config{}, func(s *stage) {
		s.serve(func(events.Entry) answer { return completed })
		brief := func(c *engine.Config) { c.KeepAge = engine.MinKeepAge }
		s.engine("a", brief, load(t, one))
		s.schedule(hourly, everyHour)
		passes(time.Hour + time.Second)
		s.wantStarted(hourly, "01:00")
		passes(30 * time.Minute)
		s.wantStarted(hourly, "")
		s.engine("b", brief, load(t, one))
		passes(time.Second)
		s.wantStarted(hourly, "")
	})
}

// forgetful is a journal whose history has no room: what is kept there is gone at once.
type forgetful struct{ journal.Journal }

func (f forgetful) Load(ctx context.Context, filter string) ([]journal.Record, error) {
	if strings.HasPrefix(filter, "saga.history.") {
		return nil, nil
	}
	return f.Journal.Load(ctx, filter)
}

// TestScheduleForgotten holds that no run begins a second time when nobody knows of it any
// more, but that what was missed meanwhile is still made up for.
func TestScheduleForgotten(t *testing.T) {
	onStage(t, memory.Config{}, func(s *stage) {
		s.serve(func(events.Entry) answer { return completed })
		forgets := func(c *engine.Config) { c.KeepAge, c.Journal = engine.MinKeepAge, forgetful{c.Journal} }
		first := s.engine("a", forgets, load(t, one))
		s.schedule(hourly, events.ScheduleSet{Cron: "0 1 * * *", Input: []byte(`{"n":1}`)})
		passes(time.Hour + 45*time.Minute)
		s.wantStarted(hourly, "")
		if n := s.logs.count("schedule has published a start"); n != 1 {
			t.Fatalf("%d starts are logged, want 1", n)
		}
		if err := first.stop(); err != nil {
			t.Fatal(err)
		}
		other := events.ScheduleSubject("one", "other")
		s.schedule(other, events.ScheduleSet{Cron: "0 2 * * *", Input: []byte(`{"n":1}`)})
		passes(3 * time.Hour)
		s.engine("b", forgets, load(t, one))
		passes(time.Second)
		s.wantStarted(hourly, "")
		s.wantStarted(other, "02:00")
	})
}

// TestScheduleWrongMark holds that what says up to when all was started is not believed
// where it cannot be: else a clock that was wrong once would keep runs from starting.
func TestScheduleWrongMark(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"of the future":      `{"journal":"JOURNAL","done":"2999-01-01T00:00:00Z"}`,
		"of another journal": `{"journal":"another","done":"2000-01-01T02:00:00Z"}`,
		"no mark":            `no mark`,
		"too large":          strings.Repeat(" ", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, memory.Config{}, func(s *stage) {
				info, err := s.broker.Info(s.ctx)
				if err != nil {
					t.Fatal(err)
				}
				text := strings.NewReader(strings.Replace(text, "JOURNAL", info.ID, 1))
				if _, err := s.data.Put(s.ctx, "snapshot/schedules", text); err != nil {
					t.Fatal(err)
				}
				s.schedule(hourly, everyHour)
				passes(2 * time.Hour)
				s.engine("a", nil, load(t, one))
				passes(time.Hour + time.Second)
				s.wantStarted(hourly, "02:00 03:00")
			})
		})
	}
}

// TestScheduleThroughCrashes holds that the broker, or the engine, may be away at any time.
func TestScheduleThroughCrashes(t *testing.T) {
	onStage(t, memory.Config{Seed: 1, Faults: memory.Faults{LostAppend: 0.05, LostAck: 0.05, Duplicate: 0.05, Delay: 0.1}}, func(s *stage) {
		s.serve(func(events.Entry) answer { return completed })
		a := s.engine("a", nil, load(t, one))
		set := events.Message{Subject: hourly.String(), Data: events.MarshalData(everyHour)}
		for s.broker.Append(s.ctx, set) != nil { // no answer: it is set again
		}
		passes(time.Hour - 5*time.Second)
		s.broker.Crash(10 * time.Second)
		passes(time.Minute)
		s.wantStarted(hourly, "01:00")
		passes(time.Hour - time.Minute + 6*time.Second)
		a.kill()
		s.engine("b", nil, load(t, one))
		passes(time.Minute)
		s.wantStarted(hourly, "01:00 02:00")
	})
}

// TestScheduleRefused holds that what can be no schedule is logged and starts nothing,
// neither what was set before it.
func TestScheduleRefused(t *testing.T) {
	onStage(t, memory.Config{}, func(s *stage) {
		s.engine("a", nil, load(t, one))
		set := func(data string) events.Message {
			return events.Message{Subject: hourly.String(), Data: []byte(data)}
		}
		missing := events.Event{
			ID: "1", Source: events.Client, Type: events.TypeScheduleSet, DataContentType: events.JSON,
			DataRef: "nats-object://SAGA_DATA/none?size=20000&sha256=" + strings.Repeat("0", 64),
		}
		for n, m := range []events.Message{
			set(`{"every":"1h","cron":"@daily"}`), set(`{"every":1}`), set("hourly"),
			events.Encode(hourly.String(), events.Event{ID: "1", Source: "/test", Type: events.TypeRunStarted}),
			events.Encode(hourly.String(), missing),
		} {
			s.schedule(hourly, everyHour)
			s.publish(m)
			passes(time.Second)
			if got := s.logs.count("schedule is refused"); got != n+1 {
				t.Errorf("after %d refusals are logged %d\n%s", n+1, got, s.logs.text.String())
			}
		}
		if s.logs.count("schedule is refused", "want one of cron, every and at, not 2") != 1 {
			t.Errorf("the reason is not logged\n%s", s.logs.text.String())
		}
		passes(2 * time.Hour)
		s.wantStarted(hourly, "")
		s.schedule(hourly, everyHour)
		passes(time.Hour)
		s.wantStarted(hourly, "03:00")
	})
}

// TestScheduleLarge holds that the input may be larger than a message.
func TestScheduleLarge(t *testing.T) {
	onStage(t, memory.Config{}, func(s *stage) {
		s.engine("a", nil, load(t, "saga: one\nsteps: {work: {service: worker, undo: false}}"))
		s.schedule(hourly, events.ScheduleSet{Every: "1h", Input: []byte(`"` + strings.Repeat("${date}", 10_000) + `"`)})
		passes(time.Hour + lateness)
		s.wantStarted(hourly, "01:00")
	})
}

// TestScheduleOfNoSaga holds that a start for which there is no saga is rejected like any
// other.
func TestScheduleOfNoSaga(t *testing.T) {
	onStage(t, memory.Config{}, func(s *stage) {
		s.engine("a", nil, load(t, one))
		s.schedule(events.ScheduleSubject("none", "hourly"), everyHour)
		passes(2*time.Hour + time.Minute)
		records, err := journal.Load(s.ctx, s.broker, events.AllRejected)
		if err != nil || len(records) != 2 {
			t.Errorf("%d starts are rejected, %v, want 2", len(records), err)
		}
	})
}
