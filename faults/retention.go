//go:build unix

package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"segue/events"
	"segue/faults/fleet"
	"segue/journal/jetstream"
	"segue/saga"
	"segue/sagas"
)

func init() {
	register(Fault{
		Name:  "retention",
		Goal:  "every run that passes is kept in the history once and leaves the journal; memory of nats-server and orchestrator is the same in the second half as in the second quarter (medians, +20 %)",
		Limit: 4 * time.Minute, LongLimit: 40 * time.Minute,
		LongOnly: true, // a run stays for a minute at least
		Run:      retention,
	})
}

// retention lets runs pass through the journal. They are written ready, by the
// core itself, so that it takes minutes: the orchestrator has to follow each, keep
// it and take it out. None leaves within a minute (engine.MinKeepAge), which is what
// the journal holds at any time.
func retention(ctx context.Context, b *Bench) (r Report, err error) {
	runs, rate := b.Pick(40_000, 1_000_000), 1_500
	const keep = 1_000
	f, err := fleet.Start(ctx, fleet.Config{
		Programs: b.Programs, Dir: b.Dir, Members: []string{"orchestrator-1", "orchestrator-2"}, Sync: "2m",
		Args: map[string][]string{"orchestrator": {"--keep-runs", fmt.Sprint(keep), "--log-level", "warn"}},
	})
	if err != nil {
		return r, err
	}
	b.fleets = append(b.fleets, f)
	b.Defer(f.Close)
	c, err := fleet.Dial(f.URL)
	if err != nil {
		return r, err
	}
	b.Defer(c.Close)
	begin := time.Now()
	var memory [2][]int64 // of broker and orchestrator, at each twentieth
	const samples = 20
	for done := 0; done < runs; {
		for next := done + runs/samples; done < next; done += passBatch {
			if err := pass(ctx, c, done); err != nil {
				return r, err
			}
			pause(ctx, time.Until(begin.Add(time.Duration(done)*time.Second/time.Duration(rate))))
		}
		for i, p := range []*fleet.Process{f.Broker(), f.Member("orchestrator-1")} {
			now, _ := p.Memory()
			memory[i] = append(memory[i], now)
		}
		b.Log("%d runs in %v: nats-server %d MiB, orchestrator %d MiB", done, time.Since(begin).Round(time.Second),
			memory[0][len(memory[0])-1]>>20, memory[1][len(memory[1])-1]>>20)
	}
	r.Did = fmt.Sprintf("%d runs of %d messages in %v, %d kept in the journal", runs, fleet.MessagesOfIngest, time.Since(begin).Round(time.Second), keep)
	err = fleet.Await(ctx, func() error { return haveLeft(ctx, c, runs, keep) })
	if err != nil {
		return r, err
	}
	r.Note("all left, and are in the history once, %v after the first began", time.Since(begin).Round(time.Second))
	for i, name := range []string{"nats-server", "an orchestrator of two"} {
		m := memory[i]
		// What a garbage collector has not returned yet is more or less at any moment.
		early, late := middle(m[samples/4:samples/2]), middle(m[samples/2:])
		// In the short form a minute's worth of runs is all there is.
		r.Want(!b.Long || late <= early+early/5, "%s: %d MiB in the second quarter, %d MiB in the second half (medians; at most %d MiB)", name, early>>20, late>>20, slices.Max(m)>>20)
	}
	return r, nil
}

func middle(values []int64) int64 { return slices.Sorted(slices.Values(values))[len(values)/2] }

// passBatch is how many runs are written at once.
const passBatch = 50

// pass writes runs that have come to their end, all messages of some in one batch.
func pass(ctx context.Context, c *fleet.Client, from int) error {
	definitions, err := sagas.All()
	if err != nil {
		return err
	}
	var messages []*nats.Msg
	for i := from; i < from+passBatch; i++ {
		entries, err := ready(definitions[0], fmt.Sprint(i))
		if err != nil {
			return err
		}
		for _, e := range entries {
			m := e.Message()
			messages = append(messages, &nats.Msg{Subject: m.Subject, Header: nats.Header(m.Header), Data: m.Data})
		}
	}
	if _, err := jetstreamext.PublishMsgBatch(ctx, c.JS, messages, jetstreamext.BatchFlowControl{}); err != nil {
		return fmt.Errorf("write runs: %w", err)
	}
	return nil
}

// ready returns the messages of a run in which every step completes.
func ready(d *saga.Definition, id string) ([]events.Entry, error) {
	now := time.Now()
	start := events.Event{ID: id, Source: fleet.Source, Type: events.TypeRunRequested, DataContentType: events.JSON, Data: []byte(`{"url":"https://example.com/documents/4711.json"}`)}
	started := saga.NewStarted(d, start, 16, now)
	entries := []events.Entry{started}
	started.Sequence, started.Stored = 1, now
	run, err := saga.Begin(d, started)
	if err != nil {
		return nil, err
	}
	store := func(e events.Entry) {
		entries = append(entries, e)
		e.Sequence, e.Stored = uint64(len(entries)), now
		run.Apply(e)
	}
	const output = `{"unchanged":false,"document":{"name":"x"},"format":"json","records":{"name":"y"}}`
	for !run.Ended() {
		for _, e := range run.Decide(now).Append {
			store(e)
			if e.Subject.Kind != events.KindCommand {
				continue
			}
			subject, source := e.Subject.With(events.KindOutcome), events.ServiceSource(e.Subject.Service)
			store(events.Entry{Subject: subject, Event: events.Event{
				ID: events.DeriveID(subject, source, events.TypeStepCompleted), Source: source, Type: events.TypeStepCompleted,
				DataContentType: events.JSON, Data: []byte(output),
			}.Caused(e.Event)})
		}
	}
	return entries, nil
}

// haveLeft says whether all runs are in the history, each once, and no more than
// keep in the journal.
func haveLeft(ctx context.Context, c *fleet.Client, runs, keep int) error {
	_, history, err := c.Info(ctx, jetstream.HistoryStream)
	if err != nil {
		return err
	}
	if n := history.State.Msgs + history.State.FirstSeq - 1; n != uint64(runs) { // the oldest may have made room
		return fmt.Errorf("%d runs are in the history, want %d", n, runs)
	}
	_, left, err := c.Info(ctx, jetstream.RunsStream)
	if err != nil {
		return err
	}
	// Each of the 16 partitions rounds its share up.
	if most := uint64(keep+16) * fleet.MessagesOfIngest; left.State.Msgs > most {
		return fmt.Errorf("%d messages are in the journal, want at most %d", left.State.Msgs, most)
	}
	return nil
}
