package main

import (
	"context"
	"fmt"
	"time"

	"segue/daemon"
	"segue/events"
	"segue/journal"
	"segue/saga"
	"segue/saga/engine"
)

// tracker folds what it reads of the journal into runs, by the same functions
// as the orchestrator.
type tracker struct {
	bus         *daemon.Bus
	past        bool                        // follow ends at the present
	definitions map[string]*saga.Definition // by digest
	runs        map[string]*saga.Run
	last        map[string]time.Time // when the last message of a run was stored
}

func newTracker(bus *daemon.Bus) *tracker {
	return &tracker{bus: bus, definitions: make(map[string]*saga.Definition), runs: make(map[string]*saga.Run), last: make(map[string]time.Time)}
}

// take enters a record and returns its run and the event. The run is nil if its
// beginning has not been seen.
func (t *tracker) take(ctx context.Context, record journal.Record) (*saga.Run, events.Entry, error) {
	entry, err := t.bus.Open(ctx, record)
	if err != nil {
		return nil, entry, err
	}
	if entry.Subject.Kind == events.KindStarted {
		if err := t.begin(ctx, entry); err != nil {
			return nil, entry, err
		}
	}
	run := t.runs[entry.Subject.Run]
	if run != nil {
		run.Apply(entry)
		t.last[run.ID] = entry.Stored
	}
	return run, entry, nil
}

func (t *tracker) begin(ctx context.Context, started events.Entry) error {
	if t.runs[started.Subject.Run] != nil {
		return nil
	}
	data, err := saga.ReadStarted(started)
	if err != nil {
		return err
	}
	d, err := t.definition(ctx, data.Digest)
	if err != nil {
		return err
	}
	run, err := saga.Begin(d, started)
	if err == nil {
		t.runs[run.ID] = run
	}
	return err
}

// definition returns the definition with a digest.
func (t *tracker) definition(ctx context.Context, digest string) (*saga.Definition, error) {
	if d := t.definitions[digest]; d != nil {
		return d, nil
	}
	d, err := engine.LoadDefinition(ctx, t.bus.Data, digest)
	if err == nil {
		t.definitions[digest] = d
	}
	return d, err
}

// load reads one run. It returns nil if there is no such run.
func (t *tracker) load(ctx context.Context, id string) (*saga.Run, []events.Entry, error) {
	records, err := t.bus.Journal.Load(ctx, events.RunFilter(id))
	if err != nil {
		return nil, nil, err
	}
	entries := make([]events.Entry, 0, len(records))
	for _, r := range records {
		_, entry, err := t.take(ctx, r)
		if err != nil {
			return nil, nil, fmt.Errorf("read run %s: %w", id, err)
		}
		entries = append(entries, entry)
	}
	return t.runs[id], entries, nil
}

// maxSingly is how many runs are read one by one before one reading of all that
// came since the oldest of them is quicker.
const maxSingly = 500

// read reads runs of the journal, the oldest first.
func (t *tracker) read(ctx context.Context, runs []*listed) error {
	if len(runs) <= maxSingly {
		for _, r := range runs {
			if _, _, err := t.load(ctx, r.Run); err != nil {
				return err
			}
		}
		return nil
	}
	wanted := make(map[string]bool, len(runs))
	for _, r := range runs {
		wanted[r.Run] = true
	}
	return each(ctx, t.bus.Journal, events.AllRuns, runs[0].record.Sequence-1, func(record journal.Record) (bool, error) {
		if subject, err := events.ParseSubject(record.Subject); err != nil || !wanted[subject.Run] {
			return false, nil
		}
		_, _, err := t.take(ctx, record)
		return false, err
	})
}

// follow hands every record behind a position to see until that says stop, or
// there is no more if only the past is wanted.
func (t *tracker) follow(ctx context.Context, filter string, after uint64, see func(*saga.Run, events.Entry) (stop bool)) error {
	return read(ctx, t.bus.Journal, filter, after, !t.past, func(record journal.Record) (bool, error) {
		run, entry, err := t.take(ctx, record)
		return err == nil && see(run, entry), err
	})
}

// each hands what is stored behind a position to see until that says stop.
func each(ctx context.Context, j journal.Journal, filter string, after uint64, see func(journal.Record) (stop bool, err error)) error {
	return read(ctx, j, filter, after, false, see)
}

// read hands what is stored behind a position, and what comes then if it is to go
// on, to see until that says stop.
func read(ctx context.Context, j journal.Journal, filter string, after uint64, on bool, see func(journal.Record) (stop bool, err error)) error {
	feed, err := j.Follow(ctx, filter, after)
	if err != nil {
		return err
	}
	defer feed.Close()
	for {
		record, err := feed.Next(ctx)
		switch {
		case err != nil:
			return err
		case record.Live && !on:
			return nil
		case record.Live:
			continue
		}
		if stop, err := see(record); stop || err != nil {
			return err
		}
	}
}
