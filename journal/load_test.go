package journal_test

import (
	"context"
	"errors"
	"testing"

	"segue/events"
	"segue/journal"
	"segue/journal/memory"
)

func TestLoad(t *testing.T) {
	t.Parallel()
	j := memory.New(memory.Config{})
	defer j.Close()
	event := events.Event{ID: "1", Source: "/test", Type: events.TypeRunStarted, Data: []byte(`{}`)}
	started := events.Entry{Subject: events.RunSubject(events.KindStarted, "a", journal.DefaultPartitions), Event: event}
	other := events.Entry{Subject: events.RunSubject(events.KindStarted, "b", journal.DefaultPartitions), Event: event}
	broken := events.Message{Subject: started.Subject.With(events.KindEnded).String()}
	if err := j.Append(t.Context(), started.Message(), other.Message(), broken); err != nil {
		t.Fatal(err)
	}
	records, err := journal.Load(t.Context(), j, events.RunFilter("a"))
	if err != nil || len(records) != 2 {
		t.Fatalf("the run has %d records (%v), want 2", len(records), err)
	}
	entry, err := records[0].Entry()
	if err != nil || entry.Subject != started.Subject || entry.Event.ID != "1" {
		t.Errorf("the first entry is %+v (%v)", entry, err)
	}
	if entry.Sequence != records[0].Sequence || !entry.Stored.Equal(records[0].Stored) {
		t.Errorf("the first entry is at %d, %v; its record at %d, %v", entry.Sequence, entry.Stored, records[0].Sequence, records[0].Stored)
	}
	if entry, err := records[1].Entry(); err == nil || entry.Subject.Kind != events.KindEnded {
		t.Errorf("a message that is no event is entry %+v (%v), want an error and its subject", entry, err)
	}
}

func TestLoadErrors(t *testing.T) {
	t.Parallel()
	j := memory.New(memory.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := journal.Load(ctx, j, events.AllRuns); !errors.Is(err, context.Canceled) {
		t.Errorf("load with a context that is done: %v", err)
	}
	if _, err := journal.Load(t.Context(), j, "elsewhere.>"); err == nil {
		t.Error("load of what no journal holds: no error")
	}
	j.Close()
	if _, err := journal.Load(t.Context(), j, events.AllRuns); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("load from a closed journal: %v", err)
	}
}
