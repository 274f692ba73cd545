package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"segue/events"
	"segue/journal"
	"segue/saga"
)

// minPrefix is how much of a run id has to be given.
const minPrefix = 4

// wholeID is the length of the id of a run, in characters.
const wholeID = 36

// found is a run that was looked for.
type found struct {
	saga.View
	// entries are its messages; none if it has left the journal.
	entries []events.Entry
	// archived is what is kept of it then.
	archived events.Entry
}

// past says that the run has left the journal.
func (f found) past() bool { return len(f.entries) == 0 }

// find returns the run whose id begins with the given characters, from the
// journal or, if it has left that, from the history.
func find(ctx context.Context, t *tracker, prefix string) (found, error) {
	if !events.ValidName(prefix) || len(prefix) < minPrefix {
		return found{}, fmt.Errorf("%q is not a run id, nor the first %d characters or more of one", prefix, minPrefix)
	}
	f, err := findExactly(ctx, t, prefix)
	if err != nil || f.Run != "" {
		return f, err
	}
	ids, err := candidates(ctx, t, prefix)
	if err != nil {
		return found{}, err
	}
	switch len(ids) {
	case 0:
		return found{}, fmt.Errorf("no run %s; segue ls lists them", prefix)
	case 1:
		return findExactly(ctx, t, ids[0])
	}
	return found{}, fmt.Errorf("%d runs begin with %s: %s", len(ids), prefix, strings.Join(ids[:min(len(ids), 5)], ", "))
}

// findExactly returns the run of an id; one without a name if there is none.
func findExactly(ctx context.Context, t *tracker, id string) (found, error) {
	run, entries, err := t.load(ctx, id)
	if err != nil {
		return found{}, err
	}
	if run != nil {
		return found{View: run.View(), entries: entries}, nil
	}
	view, entry, err := past(ctx, t.bus, id)
	return found{View: view, archived: entry}, err
}

// candidates returns the ids of the runs, of the journal and of the history, that
// begin with a prefix, sorted.
func candidates(ctx context.Context, t *tracker, prefix string) ([]string, error) {
	if len(prefix) >= wholeID {
		return nil, nil
	}
	var ids []string
	err := each(ctx, t.bus.Journal, "saga.run.*.*.started", 0, func(r journal.Record) (bool, error) {
		if s, err := events.ParseSubject(r.Subject); err == nil && strings.HasPrefix(s.Run, prefix) {
			ids = append(ids, s.Run)
		}
		return false, nil
	})
	if err != nil {
		return nil, err
	}
	see := func(r journal.Record) error {
		if s, err := events.ParseSubject(r.Subject); err == nil && strings.HasPrefix(s.Run, prefix) {
			ids = append(ids, s.Run)
		}
		return nil
	}
	if err := pages(ctx, t.bus, events.AllHistory, see, func(time.Time) bool { return true }); err != nil {
		return nil, err
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}
