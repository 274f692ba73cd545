//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"segue/events"
	"segue/faults/fleet"
	"segue/journal"
)

func init() {
	register(Fault{
		Name:  "poison",
		Goal:  "each ends failed, with a reason, tried no more often than the limits say; good runs at 90 % of the throughput of a clean load, or more",
		Limit: 100 * time.Second, LongLimit: 30 * time.Minute,
		Run: poison,
	})
}

// poison puts one bad thing beside every hundred good runs: a command that is no
// event, one whose input does not fit, a handler that panics, an output that is
// too large, a start that is no JSON. Clean and poisoned loads take turns, so
// that what else goes on here slows both.
func poison(ctx context.Context, b *Bench) (r Report, err error) {
	good, rounds := b.Pick(400, 10_000), b.Pick(5, 5)
	cfg, err := b.actors(b.Dir, 1, 2)
	if err != nil {
		return r, err
	}
	s, err := b.Stage(ctx, cfg, nil)
	if err != nil {
		return r, err
	}
	var clean, dirty []time.Duration
	var cleanCPU, dirtyCPU time.Duration
	var bad venom
	var all []*fleet.Task
	for round := range rounds {
		tasks := acts(good, fmt.Sprintf("clean-%d", round), act{Do: "ok"}, "")
		before := s.cpu()
		took, err := s.turn(ctx, tasks, tasks)
		if err != nil {
			return r, err
		}
		clean, all = append(clean, took), append(all, tasks...)
		between := s.cpu()
		cleanCPU += between - before

		tasks = acts(good, fmt.Sprintf("beside-%d", round), act{Do: "ok"}, "")
		more := bad.among(tasks, round)
		done := make(chan error, 1)
		go func() { done <- bad.publish(ctx, s.Client, round*good/100, good/100) }()
		if took, err = s.turn(ctx, more, tasks); err != nil {
			return r, err
		}
		if err := <-done; err != nil {
			return r, err
		}
		dirty, all = append(dirty, took), append(all, more...)
		dirtyCPU += s.cpu() - between
	}
	r.Did = fmt.Sprintf("%d loads of %d runs, every second one with 1 %% of poison: %d commands and %d starts made by hand, %d panics, %d outputs too large",
		2*rounds, good, bad.commands, bad.starts, bad.panics, bad.big)
	s.Tasks = all
	if err := s.Finish(ctx, &r); err != nil {
		return r, err
	}
	fastest, fastestClean := slices.Min(dirty).Seconds(), slices.Min(clean).Seconds()
	ratio, cpu := fastestClean/fastest, cleanCPU.Seconds()/dirtyCPU.Seconds()
	// On a machine that others keep busy the clock says little: there processor time
	// decides, and the clock whether work stood still.
	r.Want(ratio >= 0.9 || cpu >= 0.9 && ratio >= 0.5, "%.0f runs/s, clean %.0f: %.0f %%, by processor time %.0f %%", float64(good)/fastest, float64(good)/fastestClean, 100*ratio, 100*cpu)
	return r, bad.judge(ctx, s, &r)
}

// turn publishes tasks and returns how long it took until some of them had ended.
func (s *Scene) turn(ctx context.Context, publish, await []*fleet.Task) (time.Duration, error) {
	s.Tasks = publish
	s.Load(ctx, 0)
	begin := s.begin
	err := fleet.Await(ctx, func() error {
		if s.Watch.Through(await).IsZero() {
			return fmt.Errorf("not all of %d runs have ended", len(await))
		}
		return nil
	})
	return s.Watch.Through(await).Sub(begin), err
}

// cpu returns the processor time that all programs have used.
func (s *Scene) cpu() (sum time.Duration) {
	for _, p := range s.Processes() {
		sum += p.CPU()
	}
	return sum
}

// venom is the poison that was given.
type venom struct {
	runs                          []string // of commands by hand
	tasks                         []*fleet.Task
	commands, starts, panics, big int
}

// among mixes starts of bad runs into good ones, one for two hundred.
func (v *venom) among(tasks []*fleet.Task, round int) (mixed []*fleet.Task) {
	for i, t := range tasks {
		mixed = append(mixed, t)
		if i%200 != 0 {
			continue
		}
		do := "panic"
		if i%400 == 0 {
			do = "big"
			v.big++
		} else {
			v.panics++
		}
		bad := &fleet.Task{ID: fmt.Sprintf("bad-%d-%d", round, i), Saga: "act", Input: act{Do: do, At: "second"}, FailsAt: "second"}
		v.tasks, mixed = append(v.tasks, bad), append(mixed, bad)
	}
	return mixed
}

// publish publishes what only a bad hand writes, half as many as n.
func (v *venom) publish(ctx context.Context, c *fleet.Client, from, n int) error {
	for i := range n / 2 {
		if i%2 == 0 {
			v.starts++
			m := events.Message{Subject: "saga.start.act", Data: fmt.Appendf(nil, "{nonsense %d", from+i)}
			if err := c.Publish(ctx, m); err != nil {
				return err
			}
			continue
		}
		run := uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "poison %d", from+i)).String()
		v.commands, v.runs = v.commands+1, append(v.runs, run)
		if err := c.Publish(ctx, badCommand(run, i/2)); err != nil {
			return err
		}
	}
	return nil
}

// badCommand is the i-th command that cannot be done.
func badCommand(run string, i int) events.Message {
	subject := events.RunSubject(events.KindCommand, run, journal.DefaultPartitions)
	subject.Service, subject.Step, subject.Attempt = "actor", "second", events.Attempt{N: 1}
	event := events.Event{ID: run, Source: fleet.Source, Type: events.TypeStepRequested, DataContentType: events.JSON}
	switch i % 3 {
	case 0:
		return events.Message{Subject: subject.String(), Data: []byte("\x00\xff no event")}
	case 1:
		event.Data = []byte(`{"do":["not","a","string"]}`)
	case 2:
		event.DataRef = "objectstore://SAGA_DATA/nowhere"
	}
	return events.Encode(subject.String(), event)
}

// judge holds that every bad thing has come to an end that says why.
func (v *venom) judge(ctx context.Context, s *Scene, r *Report) error {
	failed := make(map[string]string) // run => code
	err := s.Read(ctx, "SAGA_RUNS", "saga.run.*.*.outcome.actor.second.>", func(record journal.Record) error {
		e, err := record.Entry()
		if err == nil && e.Event.Type == events.TypeStepFailed {
			var f events.Failed
			if err = events.ReadData(e.Event, &f); err == nil && f.Message != "" {
				failed[e.Subject.Run] += f.Code + " "
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	good := 0
	for _, run := range v.runs {
		if failed[run] == "bad_input " {
			good++
		}
	}
	r.Want(good == len(v.runs), "%d of %d bad commands failed with bad_input", good, len(v.runs))
	good = 0
	for _, t := range v.tasks {
		want := map[string]string{"panic": strings.Repeat("panic ", actAttempts), "big": "bad_output "}[t.Input.(act).Do]
		if failed[t.Run()] == want {
			good++
		}
	}
	r.Want(good == len(v.tasks), "%d of %d bad handlers failed with panic %d times or bad_output once", good, len(v.tasks), actAttempts)
	reasons := 0
	err = s.Read(ctx, "SAGA_REJECTED", events.AllRejected, func(record journal.Record) error {
		var rejected events.StartRejected
		e, err := record.Entry()
		if err == nil {
			err = events.ReadData(e.Event, &rejected)
		}
		if rejected.Reason != "" {
			reasons++
		}
		return err
	})
	r.Want(reasons == v.starts, "%d of %d bad starts rejected with a reason", reasons, v.starts)
	again, commands, redeliveredErr := s.redelivered(ctx, "actor")
	r.Want(again == 0, "%d of %d commands delivered again", again, commands)
	return errors.Join(err, redeliveredErr)
}

// actAttempts is how often a step of act is tried.
const actAttempts = 3
