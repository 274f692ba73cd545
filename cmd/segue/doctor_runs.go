package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"segue/daemon"
	"segue/document"
	"segue/events"
	"segue/journal"
	"segue/journal/jetstream"
	"segue/saga"
	"segue/saga/engine"
)

const (
	// overdue is how late a message of an orchestrator may be before its run counts
	// as standing still: longer than a partition takes to change hands.
	overdue = 15 * time.Second
	// late is how long after its deadline a run ought to have ended.
	late = 10 * time.Minute
	// longWait is how long a start may wait before that is more than a rush.
	longWait = 10 * time.Minute
	// maxNamed is how many runs of one kind are named.
	maxNamed = 10
)

// doctor looks at the runs of a system.
type doctor struct {
	bus      *daemon.Bus
	t        *tracker
	broker   jetstream.Examined
	asleep   bool          // nothing runs, and is not expected to
	later    time.Duration // added to the journal's time; only tests have a reason to
	findings []jetstream.Finding

	now  time.Time // of the journal, before the runs were read
	open []*saga.Run
}

func (d *doctor) add(s jetstream.Severity, subject, do, format string, args ...any) {
	d.findings = append(d.findings, jetstream.Finding{Severity: s, Subject: subject, What: fmt.Sprintf(format, args...), Do: do})
}

// look looks at everything that is not the broker's to know.
func (d *doctor) look(ctx context.Context) error {
	info, err := d.bus.Journal.Info(ctx)
	if err != nil {
		return err
	}
	d.now = info.Now.Add(d.later)
	if err := d.read(ctx, info.Partitions); err != nil {
		return err
	}
	d.standing()
	d.still()
	d.starts()
	d.services()
	if err := d.definitions(ctx); err != nil {
		return err
	}
	if err := d.schedules(ctx); err != nil {
		return err
	}
	return d.rejected(ctx)
}

// read reads every run that has not ended.
func (d *doctor) read(ctx context.Context, partitions int) error {
	ended := make(map[string]bool)
	err := each(ctx, d.bus.Journal, events.AllEnds, 0, func(r journal.Record) (bool, error) {
		if s, err := events.ParseSubject(r.Subject); err == nil {
			ended[s.Run] = true
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	var open []*listed
	orphans := 0
	err = each(ctx, d.bus.Journal, "saga.run.*.*.started", 0, func(r journal.Record) (bool, error) {
		s, err := events.ParseSubject(r.Subject)
		if err != nil || ended[s.Run] {
			return false, nil
		}
		lost, err := d.lost(ctx, r, s, partitions)
		switch {
		case err != nil:
			return true, err
		case lost == "":
			open = append(open, &listed{Run: s.Run, record: journal.Record{Sequence: r.Sequence}})
		default:
			if orphans++; orphans <= maxNamed {
				d.add(jetstream.Alarm, "run "+s.Run, fmt.Sprintf("put back what is missing, from a backup; to give the run up: nats stream purge %s --subject '%s' --force", jetstream.RunsStream, events.RunFilter(s.Run)),
					"it cannot be carried on: %s", lost)
			}
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	d.more(orphans, "runs cannot be carried on")
	if err := d.t.read(ctx, open); err != nil {
		return err
	}
	for _, r := range open {
		if run := d.t.runs[r.Run]; run != nil && !run.Ended() {
			d.open = append(d.open, run)
		}
	}
	return nil
}

// lost says why nobody can carry on a run; empty if somebody can.
func (d *doctor) lost(ctx context.Context, r journal.Record, s events.Subject, partitions int) (string, error) {
	if want := events.PartitionOf(s.Run, partitions); want != s.Partition {
		return fmt.Sprintf("it is in partition %d and belongs to %d", s.Partition, want), nil
	}
	entry, err := d.bus.Open(ctx, r)
	if err != nil {
		return "", err
	}
	data, err := saga.ReadStarted(entry)
	if err != nil {
		return fmt.Sprintf("its beginning cannot be read: %v", err), nil
	}
	if d.t.definitions[data.Digest] != nil {
		return "", nil
	}
	definition, err := engine.LoadDefinition(ctx, d.bus.Data, data.Digest)
	var problems saga.Problems
	switch {
	case errors.Is(err, document.ErrNotFound), errors.Is(err, document.ErrChanged), errors.As(err, &problems):
		return err.Error(), nil
	case err != nil:
		return "", err
	}
	d.t.definitions[data.Digest] = definition
	return "", nil
}

// standing looks for runs that are stuck or late, and counts the others.
func (d *doctor) standing() {
	count := make(map[saga.Status]int)
	overtime := 0
	for _, run := range d.open {
		v := run.View()
		if count[v.Status]++; v.Status == saga.StatusStuck {
			if count[v.Status] <= maxNamed {
				d.add(jetstream.Warning, "run "+v.Run, "mend the cause, then: segue retry "+v.Run, "it is stuck: %s", stuckAt(v))
			}
			continue
		}
		if past := d.now.Sub(v.Deadline); past > late {
			if overtime++; overtime <= maxNamed {
				d.add(jetstream.Warning, "run "+v.Run, "segue show "+v.Run, "it is %s, %v past its deadline: %s", v.Status, past.Round(time.Second), cmp.Or(standing(v), "between steps"))
			}
		}
	}
	d.more(count[saga.StatusStuck], "runs are stuck: segue ls --status stuck")
	d.more(overtime, "runs are past their deadline")
	d.add(jetstream.Fine, "runs", "", "%d go on, %d turn back, %d are stuck", count[saga.StatusRunning], count[saga.StatusUndoing], count[saga.StatusStuck])
}

// stuckAt names the steps at which a run is stuck, and why.
func stuckAt(v saga.View) string {
	var at []string
	for _, s := range v.Steps {
		if s.State == saga.StateStuck {
			text := s.Step
			if s.Failure != nil {
				text += ": " + clipEnd(oneLine(s.Failure.Message), 100)
			}
			at = append(at, text)
		}
	}
	return strings.Join(at, "; ")
}

// more says that there are more than were named.
func (d *doctor) more(n int, what string) {
	if n > maxNamed {
		d.add(jetstream.Warning, "runs", "", "%d more %s", n-maxNamed, what)
	}
}

// still looks for runs whose next message has been due for a while: nobody
// carries on their partitions.
func (d *doctor) still() {
	if d.asleep {
		return
	}
	partitions := make(map[int]int)
	then := d.now.Add(-overdue)
	for _, run := range d.open {
		if d.t.last[run.ID].Before(then) && len(run.Decide(then).Append) > 0 {
			partitions[run.Partition]++
		}
	}
	for _, p := range slices.Sorted(maps.Keys(partitions)) {
		d.add(jetstream.Alarm, fmt.Sprintf("partition %02d", p), "look whether an orchestrator is alive and at its log, and start one again if need be",
			"%d runs stand still: their next messages have been due for more than %v", partitions[p], overdue)
	}
}

// starts looks at what waits to begin.
func (d *doctor) starts() {
	n := d.broker.Starts
	if n == 0 {
		d.add(jetstream.Fine, "starts", "", "none waits")
		return
	}
	if d.asleep || d.broker.Orchestrators == 0 {
		d.add(jetstream.Note, "starts", "", "%d wait for an orchestrator, the oldest for %v", n, d.now.Sub(d.broker.Oldest).Round(time.Second))
		return
	}
	wait := d.now.Sub(d.broker.Oldest).Round(time.Second)
	s := jetstream.Note
	if wait > longWait {
		s = jetstream.Warning
	}
	d.add(s, "starts", "if this stays: run more of the services that are busy, or raise --max-running of the orchestrators",
		"%d wait, the oldest for %v: %d runs are going on, and %d orchestrators take in no more than their --max-running", n, wait, len(d.open), d.broker.Orchestrators)
}

// services looks for services that runs need and that have no queue.
func (d *doctor) services() {
	missing := make(map[string]int)
	for _, run := range d.open {
		for _, service := range saga.Services(run.Definition) {
			if !slices.Contains(d.broker.Services, service) {
				missing[service]++
			}
		}
	}
	for _, service := range slices.Sorted(maps.Keys(missing)) {
		d.add(jetstream.Alarm, "service "+service, "start the orchestrators with the saga that names it, or the service as a user who may create its queue",
			"%d runs need it and it has no queue: nobody can take its commands", missing[service])
	}
}

// definitions looks for runs that go on with another definition than the one that
// was applied last.
func (d *doctor) definitions(ctx context.Context) error {
	applied := make(map[string]string) // name => digest
	err := each(ctx, d.bus.Journal, events.AllDefinitions, 0, func(r journal.Record) (bool, error) {
		entry, err := d.bus.Open(ctx, r)
		if err != nil {
			return true, err
		}
		var data events.DefinitionApplied
		if events.ReadData(entry.Event, &data) == nil {
			applied[entry.Subject.Definition] = data.Digest
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	older := make(map[string]int)
	for _, run := range d.open {
		if digest := applied[run.Definition.Name]; digest != "" && digest != run.Definition.Digest {
			older[run.Definition.Name]++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(older)) {
		d.add(jetstream.Note, "saga "+name, "", "%d runs go on with an older definition than the one applied last (%.12s): they began with it", older[name], applied[name])
	}
	return nil
}

// rejected counts the starts that became no run.
func (d *doctor) rejected(ctx context.Context) error {
	n, last := 0, refused{}
	err := eachRejected(ctx, d.bus, func(r refused) error {
		n, last = n+1, r
		return nil
	})
	if err == nil && n > 0 {
		d.add(jetstream.Note, "rejected starts", "segue rejected ls; mend the cause, then: segue rejected retry ID", "%d are kept, the last: %s", n, clipEnd(last.Reason, 160))
	}
	return err
}
