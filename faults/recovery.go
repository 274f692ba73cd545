//go:build unix

package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/synadia-io/orbit.go/jetstreamext"
	"golang.org/x/sync/errgroup"

	"segue/faults/fleet"
	"segue/journal"
	"segue/journal/jetstream"
	"segue/sagas"
)

func init() {
	register(Fault{
		Name:  "recovery",
		Goal:  "an orchestrator that is killed is ready again within 2 s (in the long form with 100,000 runs in the journal, 10,000 of them running)",
		Limit: 2 * time.Minute, LongLimit: 10 * time.Minute,
		Run: readAgain,
	})
}

// readAgain lets an orchestrator see a journal fill up with runs, most of which
// end, and kills it again and again.
func readAgain(ctx context.Context, b *Bench) (r Report, err error) {
	runs, kills := b.Pick(20_000, 100_000), b.Pick(3, 20)
	running := runs / 10
	s, err := b.Stage(ctx, fleet.Config{Members: []string{"orchestrator"}, Sync: "2m", Args: map[string][]string{"orchestrator": {"--log-level", "warn"}}}, nil)
	if err != nil {
		return r, err
	}
	empty, _ := s.Member("orchestrator").Memory()
	begin := time.Now()
	if err := s.fill(ctx, runs-running, running); err != nil {
		return r, err
	}
	b.Log("all written after %.1f s", time.Since(begin).Seconds())
	if err := fleet.Await(ctx, func() error { return s.seen(ctx, runs-running, running) }); err != nil {
		return r, err
	}
	b.Log("all read and kept after %.1f s", time.Since(begin).Seconds())
	_, info, err := s.Info(ctx, jetstream.RunsStream)
	if err != nil {
		return r, err
	}
	full, _ := s.Member("orchestrator").Memory()
	r.Did = fmt.Sprintf("%d runs in the journal, %d of them running, %d messages; %d kills -9 of the orchestrator", runs, running, info.State.Msgs, kills)
	drives := func() error { return s.seen(ctx, runs-running, running) }
	var all []time.Duration
	var cpu time.Duration // of orchestrator and broker, until ready
	for range kills {
		// It may be killed at any time: while it stores a snapshot, too.
		pause(ctx, b.between(100*time.Millisecond, 2*time.Second))
		s.Kill("orchestrator")
		pause(ctx, journal.MemberTTL+time.Second) // it is counted out: the next one has all to read
		broker := s.Broker().CPU()
		took, err := s.again(ctx)
		cpu = max(cpu, s.Member("orchestrator").CPU()+s.Broker().CPU()-broker)
		if err == nil {
			err = drives()
		}
		if err != nil {
			return r, err
		}
		all = append(all, took)
		b.Log("ready after %.2f s", took.Seconds())
	}
	slowest := quantile(all, 1)
	r.Want(slowest <= 2*time.Second, "ready again after %.2f s at most, %.2f s in the median; %.2f s of processor time at most", slowest.Seconds(), quantile(all, 0.5).Seconds(), cpu.Seconds())
	s.Kill("orchestrator")
	again := time.Now()
	if _, err := s.again(ctx); err != nil {
		return r, err
	}
	if err := fleet.Await(ctx, drives); err != nil {
		return r, err
	}
	r.Want(time.Since(again) <= takeOver, "started at once, it drives all runs after %.1f s", time.Since(again).Seconds())
	r.Note("%d MiB in memory before the first kill, %d MiB with an empty journal: %.1f KiB a running run", full>>20, empty>>20, float64(full-empty)/1024/float64(running))
	return r, s.Panics()
}

// seen says whether the orchestrator has kept every run that has ended and drives
// the others.
func (s *Scene) seen(ctx context.Context, ended, running int) error {
	_, info, err := s.Info(ctx, jetstream.HistoryStream)
	if err != nil {
		return err
	}
	metrics, err := s.Get(ctx, "orchestrator", "/metrics")
	if err != nil {
		return err
	}
	if n, drives := int(info.State.Msgs), sum(metrics, "segue_runs_running"); n != ended || drives != running {
		return fmt.Errorf("the history holds %d runs, want %d; the orchestrator drives %d, want %d", n, ended, drives, running)
	}
	return nil
}

// again starts the orchestrator and returns how long it took to be ready.
func (s *Scene) again(ctx context.Context) (time.Duration, error) {
	begin := time.Now()
	if err := s.Start("orchestrator"); err != nil {
		return 0, err
	}
	err := s.Ready(ctx, "orchestrator")
	return time.Since(begin), err
}

// fillers is how many batches are written at a time.
const fillers = 4

// fill writes runs that have ended, and runs that wait for the outcome of one of
// their steps.
func (s *Scene) fill(ctx context.Context, ended, running int) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(fillers)
	for from := 0; from < ended; from += passBatch {
		group.Go(func() error { return pass(ctx, s.Client, from) })
	}
	for from := ended; from < ended+running; from += passBatch {
		group.Go(func() error { return s.wait(ctx, from) })
	}
	return group.Wait()
}

// wait writes runs that wait, as many at each step.
func (s *Scene) wait(ctx context.Context, from int) error {
	ingest, err := sagas.Ingest()
	if err != nil {
		return err
	}
	var messages []*nats.Msg
	for i := from; i < from+passBatch; i++ {
		entries, err := ready(ingest, fmt.Sprint(i))
		if err != nil {
			return err
		}
		steps := len(entries)/2 - 1                 // without started and ended
		for _, e := range entries[:2+2*(i%steps)] { // started, and a command without its outcome at the end
			m := e.Message()
			messages = append(messages, &nats.Msg{Subject: m.Subject, Header: nats.Header(m.Header), Data: m.Data})
		}
	}
	if _, err := jetstreamext.PublishMsgBatch(ctx, s.JS, messages, jetstreamext.BatchFlowControl{}); err != nil {
		return fmt.Errorf("write runs: %w", err)
	}
	return nil
}

// sum adds up the values of a metric.
func sum(metrics, name string) (total int) {
	for line := range strings.Lines(metrics) {
		if rest, ok := strings.CutPrefix(line, name); ok && (rest[0] == ' ' || rest[0] == '{') {
			value, err := strconv.ParseFloat(strings.TrimSpace(rest[strings.LastIndex(rest, " ")+1:]), 64)
			if err == nil {
				total += int(value)
			}
		}
	}
	return total
}
