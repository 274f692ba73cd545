package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"segue/broker"
	"segue/daemon"
	"segue/document"
	"segue/events"
	"segue/journal/jetstream"
	"segue/saga"
)

// ward is a journal with one run in it, which began a moment ago.
type ward struct {
	t   *testing.T
	bus *daemon.Bus
	d   *saga.Definition
	run string
}

func newWard(t *testing.T) *ward {
	t.Helper()
	server, err := broker.Start(broker.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	bus, err := daemon.Embedded(t.Context(), server, slog.New(slog.DiscardHandler), []string{"work"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bus.Close)
	w := &ward{t: t, bus: bus}
	w.d = w.define("saga: one\ndeadline: 5m\nsteps: {a: {service: work, undo: false}}")
	w.run = w.begin(w.d, "first", 16).Run
	return w
}

// define loads a definition and keeps its text, as orchestrators do.
func (w *ward) define(text string) *saga.Definition {
	w.t.Helper()
	d, err := saga.Load("test", []byte(text), nil)
	if err == nil {
		_, err = document.PutData(w.t.Context(), w.bus.Data, d.Text)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

// begin stores the beginning of a run.
func (w *ward) begin(d *saga.Definition, id string, partitions int) events.Subject {
	w.t.Helper()
	e := saga.NewStarted(d, events.Event{ID: id, Source: "/test", Data: []byte("{}")}, partitions, time.Now())
	w.append(e)
	return e.Subject
}

func (w *ward) append(e events.Entry) {
	w.t.Helper()
	if err := w.bus.Journal.Append(w.t.Context(), e.Message()); err != nil {
		w.t.Fatal(err)
	}
}

var hourly = events.ScheduleSubject("one", "hourly")

// schedule sets a schedule.
func (w *ward) schedule(data string) {
	w.t.Helper()
	if err := w.bus.Journal.Append(w.t.Context(), events.Message{Subject: hourly.String(), Data: []byte(data)}); err != nil {
		w.t.Fatal(err)
	}
}

// soon is a time that comes in a minute.
func soon() string { return time.Now().Add(time.Minute).UTC().Format(time.RFC3339) }

// finish ends the run.
func (w *ward) finish() {
	w.t.Helper()
	s := events.RunSubject(events.KindEnded, w.run, 16)
	w.append(events.Entry{Subject: s, Event: events.Event{ID: "end", Source: events.Orchestrator, Type: events.TypeRunCompleted, DataContentType: events.JSON, Data: []byte("{}")}})
}

// look returns what the doctor finds that much later.
func (w *ward) look(later time.Duration, asleep bool) string {
	w.t.Helper()
	d := &doctor{
		bus: w.bus, t: newTracker(w.bus), later: later, asleep: asleep,
		broker: jetstream.Examined{Orchestrators: 1, Services: []string{"work"}},
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	if err := d.look(ctx); err != nil {
		w.t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range d.findings {
		fmt.Fprintf(&b, "%s %s: %s\n", f.Severity, f.Subject, f.What)
	}
	return b.String()
}

// TestDoctorRuns breaks one thing at a time and wants to be told.
func TestDoctorRuns(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		wrong func(*ward)
		later time.Duration
		want  []string // beginnings of lines; RUN stands for the run
		bad   int      // how many warnings and alarms there are
	}{
		{"all is well", func(*ward) {}, 0, []string{"ok runs: 1 go on, 0 turn back, 0 are stuck", "ok starts: none waits"}, 0},
		{"nobody carries it on", func(*ward) {}, time.Minute, []string{"alarm partition PP: 1 runs stand still"}, 1},
		{"it is late", func(*ward) {}, time.Hour, []string{"alarm partition PP: 1 runs stand still", "warning run RUN: it is running, 55m"}, 2},
		{"its definition is gone", func(w *ward) {
			d := *w.d
			d.Digest = strings.Repeat("0", 64)
			w.run = w.begin(&d, "second", 16).Run
		}, 0, []string{"alarm run RUN: it cannot be carried on: find definition 000", "ok runs: 1 go on"}, 1},
		{"its beginning is no event", func(w *ward) {
			s := events.RunSubject(events.KindStarted, "broken", 16)
			w.run = s.Run
			w.append(events.Entry{Subject: s, Event: events.Event{ID: "x", Source: "/test", Type: events.TypeRunStarted, Data: []byte("no")}})
		}, 0, []string{"alarm run RUN: it cannot be carried on: its beginning cannot be read"}, 1},
		{"it is in another partition", func(w *ward) {
			w.run = w.begin(w.d, "third", 1000).Run
		}, 0, []string{"alarm run RUN: it cannot be carried on: it is in partition"}, 1},
		{"its service has no queue", func(w *ward) {
			w.begin(w.define("saga: two\nsteps: {a: {service: ghost, undo: false}}"), "fourth", 16)
		}, 0, []string{"alarm service ghost: 1 runs need it and it has no queue"}, 1},
		{"another definition was applied", func(w *ward) {
			d := w.define("saga: one\ndeadline: 6m\nsteps: {a: {service: work, undo: false}}")
			w.append(events.Entry{Subject: events.DefinitionSubject("one"), Event: events.Event{
				ID: "x", Source: events.Client, Type: events.TypeDefinitionApplied, DataContentType: events.JSON,
				Data: events.MarshalData(events.DefinitionApplied{Digest: d.Digest, Text: d.Text}),
			}})
		}, 0, []string{"note saga one: 1 runs go on with an older definition"}, 0},
		{"a start was rejected", func(w *ward) {
			s := events.Subject{Kind: events.KindRejected, Definition: "one", Start: "x"}
			w.append(events.Entry{Subject: s, Event: events.Event{
				ID: "x", Source: events.Orchestrator, Type: events.TypeStartRejected, DataContentType: events.JSON,
				Data: events.MarshalData(events.StartRejected{Reason: "it is too late", Subject: "saga.start.one"}),
			}})
		}, 0, []string{"note rejected starts: 1 are kept, the last: it is too late"}, 0},
		{"a schedule is set", func(w *ward) { w.schedule(`{"at":"2999-01-01T00:00:00Z"}`) }, 0, []string{
			"ok schedules: 1 are set, the next time of any is 2999-01-01T00:00:00Z",
		}, 0},
		{"a schedule is none", func(w *ward) { w.schedule(`{"every":"often"}`) }, 0, []string{
			`alarm schedule one/hourly: it starts nothing: invalid schedule one/hourly: every: "often" is not`,
		}, 1},
		{"nobody starts what a schedule says", func(w *ward) {
			w.finish()
			w.schedule(`{"at":"` + soon() + `"}`)
		}, time.Hour, []string{"alarm schedule one/hourly: its run of 20"}, 1},
		{"what a schedule starts is rejected", func(w *ward) {
			w.finish()
			at := soon()
			w.schedule(`{"at":"` + at + `"}`)
			id := events.RunID(events.ScheduleSource(hourly), at)
			w.append(events.Entry{Subject: events.Subject{Kind: events.KindRejected, Definition: "one", Start: id}, Event: events.Event{
				ID: "x", Source: events.Orchestrator, Type: events.TypeStartRejected, DataContentType: events.JSON,
				Data: events.MarshalData(events.StartRejected{Reason: "no", Subject: "saga.start.one"}),
			}})
		}, time.Hour, []string{"warning schedule one/hourly: its start of 20", "note rejected starts: 1 are kept"}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWard(t)
			test.wrong(w)
			found := "\n" + w.look(test.later, false)
			partition := fmt.Sprintf("%02d", events.PartitionOf(w.run, 16))
			for _, want := range test.want {
				if !strings.Contains(found, "\n"+strings.NewReplacer("RUN", w.run, "PP", partition).Replace(want)) {
					t.Errorf("not found: %s; but%s", want, found)
				}
			}
			if bad := strings.Count(found, "\nwarning ") + strings.Count(found, "\nalarm "); bad != test.bad {
				t.Errorf("%d things are wrong, want %d:%s", bad, test.bad, found)
			}
		})
	}
}

// TestDoctorAsleep holds that what is not meant to run does not stand still.
func TestDoctorAsleep(t *testing.T) {
	t.Parallel()
	if found := newWard(t).look(time.Minute, true); strings.Contains(found, "stand still") {
		t.Errorf("found where nothing is meant to run:\n%s", found)
	}
}
