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
		Limit: 6 * time.Minute, LongLimit: 40 * time.Minute,
		LongOnly: true, // a run stays for a minute at least
		Run:      retention,
	})
	register(Fault{
		Name:  "held-up",
		Goal:  "runs leave the journal behind one that goes on; storing is never held up for longer than 2 s",
		Limit: 10 * time.Minute, LongLimit: 30 * time.Minute,
		LongOnly: true, // what is held up leaves after some minutes
		Run:      heldUp,
	})
}

// retention lets runs pass through the journal. They are written ready, by the
// core itself, so that it takes minutes: the orchestrators have to follow each, keep
// it and take it out. None leaves within a minute (engine.MinKeepAge), which is what
// the journal holds at any time.
func retention(ctx context.Context, b *Bench) (r Report, err error) {
	const keep = 1_000
	runs := b.Pick(40_000, 1_000_000)
	f, c, err := b.keeping(ctx, keep)
	if err != nil {
		return r, err
	}
	p := passage{c: c, rate: 1_500, began: time.Now()}
	var memory [2][]int64 // of broker and orchestrator, at each twentieth
	const samples = 20
	for range samples {
		if err := p.pass(ctx, runs/samples); err != nil {
			return r, err
		}
		for i, program := range []*fleet.Process{f.Broker(), f.Member("orchestrator-1")} {
			now, _ := program.Memory()
			memory[i] = append(memory[i], now)
		}
		b.Log("%d runs in %v: nats-server %d MiB, orchestrator %d MiB", p.done, time.Since(p.began).Round(time.Second),
			memory[0][len(memory[0])-1]>>20, memory[1][len(memory[1])-1]>>20)
	}
	r.Did = fmt.Sprintf("%d runs of %d messages in %v, %d kept in the journal", p.done, fleet.MessagesOfIngest, time.Since(p.began).Round(time.Second), keep)
	if err := fleet.Await(ctx, func() error { return haveLeft(ctx, c, p.done, keep, 0) }); err != nil {
		return r, err
	}
	r.Note("all left, and are in the history once, %v after the first began", time.Since(p.began).Round(time.Second))
	r.Note("%d were stored at a time within %v (p99), %v at most", passBatch, quantile(p.took, 0.99).Round(time.Millisecond), quantile(p.took, 1).Round(time.Millisecond))
	for i, name := range []string{"nats-server", "an orchestrator of two"} {
		m := memory[i]
		// What a garbage collector has not returned yet is more or less at any moment.
		early, late := middle(m[samples/4:samples/2]), middle(m[samples/2:])
		// In the short form a minute's worth of runs is all there is.
		r.Want(!b.Long || late <= early+early/5, "%s: %d MiB in the second quarter, %d MiB in the second half (medians; at most %d MiB)", name, early>>20, late>>20, slices.Max(m)>>20)
	}
	return r, nil
}

// heldUp does the same, slower, behind a run that goes on. Nothing can be cut off
// the journal then.
func heldUp(ctx context.Context, b *Bench) (r Report, err error) {
	const keep, most = 20_000, 2 * time.Second
	runs := b.Pick(40_000, 120_000)
	_, c, err := b.keeping(ctx, keep)
	if err != nil {
		return r, err
	}
	stays := acts(1, "stays", act{Do: "ok"}, "")[0] // waits for an actor
	if err := c.Publish(ctx, stays.Message()); err != nil {
		return r, err
	}
	p := passage{c: c, rate: 200, began: time.Now()}
	if err := p.pass(ctx, runs); err != nil {
		return r, err
	}
	r.Did = fmt.Sprintf("%d runs of %d messages behind one that goes on, in %v, %d kept in the journal", p.done, fleet.MessagesOfIngest, time.Since(p.began).Round(time.Second), keep)
	if err := fleet.Await(ctx, func() error { return haveLeft(ctx, c, p.done, keep, 1) }); err != nil {
		return r, err
	}
	r.Note("all others left, and are in the history once, %v after the first began", time.Since(p.began).Round(time.Second))
	r.Want(quantile(p.took, 1) <= most, "%d were stored at a time within %v (p99), %v at most", passBatch, quantile(p.took, 0.99).Round(time.Millisecond), quantile(p.took, 1).Round(time.Millisecond))
	return r, nil
}

// keeping starts a broker and two orchestrators that keep so many runs in the journal.
func (b *Bench) keeping(ctx context.Context, keep int) (*fleet.Fleet, *fleet.Client, error) {
	cfg, err := b.actors(b.Dir, 2, 0)
	if err != nil {
		return nil, nil, err
	}
	cfg.Programs, cfg.Sync = b.Programs, "2m"
	cfg.Args["orchestrator"] = []string{"--keep-runs", fmt.Sprint(keep), "--log-level", "warn"}
	f, err := fleet.Start(ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	b.fleets = append(b.fleets, f)
	b.Defer(f.Close)
	c, err := fleet.Dial(f.URL)
	if err != nil {
		return nil, nil, err
	}
	b.Defer(c.Close)
	return f, c, nil
}

// passage writes runs that have come to their end.
type passage struct {
	c     *fleet.Client
	rate  int // runs a second, at most
	began time.Time
	done  int
	took  []time.Duration // to store passBatch of them
}

// pass writes so many more.
func (p *passage) pass(ctx context.Context, runs int) error {
	for end := p.done + runs; p.done < end; p.done += passBatch {
		began := time.Now()
		if err := pass(ctx, p.c, p.done); err != nil {
			return err
		}
		p.took = append(p.took, time.Since(began))
		pause(ctx, time.Until(p.began.Add(time.Duration(p.done)*time.Second/time.Duration(p.rate))))
	}
	return nil
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

// document is what the runs are to ingest.
const document = `{"url":"https://example.com/documents/4711.json"}`

// ready returns the messages of a run in which every step completes.
func ready(d *saga.Definition, id string) ([]events.Entry, error) {
	now := time.Now()
	start := events.Event{ID: id, Source: fleet.Source, Type: events.TypeRunRequested, DataContentType: events.JSON, Data: []byte(document)}
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
// keep, and some that go on, in the journal.
func haveLeft(ctx context.Context, c *fleet.Client, runs, keep, running int) error {
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
	if most := uint64(keep+16+running) * fleet.MessagesOfIngest; left.State.Msgs > most {
		return fmt.Errorf("%d messages are in the journal, want at most %d", left.State.Msgs, most)
	}
	return nil
}
