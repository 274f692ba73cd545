package main

import (
	"context"
	"fmt"

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
}

func newTracker(bus *daemon.Bus) *tracker {
	return &tracker{bus: bus, definitions: make(map[string]*saga.Definition), runs: make(map[string]*saga.Run)}
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
	d := t.definitions[data.Digest]
	if d == nil {
		if d, err = engine.LoadDefinition(ctx, t.bus.Data, data.Digest); err != nil {
			return err
		}
		t.definitions[data.Digest] = d
	}
	run, err := saga.Begin(d, started)
	if err == nil {
		t.runs[run.ID] = run
	}
	return err
}

// load reads one run. It returns nil if there is no such run.
func (t *tracker) load(ctx context.Context, id string) (*saga.Run, []events.Entry, error) {
	records, err := journal.Load(ctx, t.bus.Journal, events.RunFilter(id))
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

// catchUp reads what is stored behind a position.
func (t *tracker) catchUp(ctx context.Context, after uint64) error {
	feed, err := t.bus.Journal.Follow(ctx, events.AllRuns, after)
	if err != nil {
		return err
	}
	defer feed.Close()
	for {
		record, err := feed.Next(ctx)
		if err != nil || record.Live {
			return err
		}
		if _, _, err := t.take(ctx, record); err != nil {
			return err
		}
	}
}

// follow hands every record behind a position to see until that says stop, or
// there is no more if only the past is wanted.
func (t *tracker) follow(ctx context.Context, filter string, after uint64, see func(*saga.Run, events.Entry) (stop bool)) error {
	feed, err := t.bus.Journal.Follow(ctx, filter, after)
	if err != nil {
		return err
	}
	defer feed.Close()
	for {
		record, err := feed.Next(ctx)
		if err != nil {
			return err
		}
		if record.Live {
			if t.past {
				return nil
			}
			continue
		}
		run, entry, err := t.take(ctx, record)
		if err != nil {
			return err
		}
		if see(run, entry) {
			return nil
		}
	}
}
