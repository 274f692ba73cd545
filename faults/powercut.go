//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"segue/events"
	"segue/faults/fleet"
	"segue/journal"
)

func init() {
	register(Fault{
		Name:  "power-cut",
		Goal:  "0 acked starts lost, database and journal agree; with the broker's own default sync the same cut must lose some",
		Limit: 2 * time.Minute, LongLimit: 40 * time.Minute,
		Run: powerCut,
	})
}

// powerCut cuts the power of the machine of the broker and the database, again
// and again; the other programs are elsewhere and go on.
func powerCut(ctx context.Context, b *Bench) (r Report, err error) {
	lost, acked, err := powerCutControl(ctx, b)
	if err != nil {
		return r, fmt.Errorf("control: %w", err)
	}
	r.Want(lost > 0, "control: default sync lost %d of %d acked starts", lost, acked)

	cuts := b.Pick(3, 50)
	const rate = 40
	d, err := newDisk(ctx, b, "disk")
	if err != nil {
		return r, err
	}
	saga, err := sturdy(b)
	if err != nil {
		return r, err
	}
	shelf, err := b.Shelf(rate*4*cuts, sturdyName)
	if err != nil {
		return r, err
	}
	s, err := b.Stage(ctx, fleet.Config{
		Sagas: []string{saga}, Store: d.path("nats"), Database: "sqlite:" + d.path("segue.db"),
		Env: []string{"SEGUE_LEASE=5s"},
	}, shelf.Tasks)
	if err != nil {
		return r, err
	}
	r.Did = fmt.Sprintf("documents at %d/s, %d power cuts of broker and database under load", rate, cuts)
	s.Load(ctx, rate)
	var worst time.Duration
	for i := range cuts {
		pause(ctx, b.between(500*time.Millisecond, 3*time.Second))
		if !s.Loading() {
			return r, errQuiet
		}
		b.Log("cut %d at message %d", i+1, s.Watch.Sequence())
		took, err := d.cutUnder(ctx, s)
		if err != nil {
			return r, err
		}
		worst = max(worst, took)
	}
	s.Enough()
	r.Note("up again %.1f s after power came back at the latest", worst.Seconds())
	return r, s.Finish(ctx, &r)
}

// cutUnder cuts the power under the broker and the saver of a scene, mounts the
// disk anew and starts them. It returns how long they took to be ready.
func (d *disk) cutUnder(ctx context.Context, s *Scene) (time.Duration, error) {
	s.Broker().Pause() // a program without power does not get to see that its disk has none
	s.Member("saver").Pause()
	if err := d.powerCut(); err != nil {
		return 0, err
	}
	s.Broker().Kill()
	s.Kill("saver")
	if err := d.unmount(ctx); err != nil {
		return 0, err
	}
	if err := d.mount(ctx); err != nil {
		return 0, err
	}
	begin := time.Now()
	if err := s.StartBroker(); err != nil {
		return 0, err
	}
	if err := s.Start("saver"); err != nil {
		return 0, err
	}
	err := s.Ready(ctx, s.Members...)
	return time.Since(begin), err
}

// powerCutControl does the same to a broker that syncs every two minutes, as it
// does if nobody says otherwise, and returns how many acked starts were lost.
func powerCutControl(ctx context.Context, b *Bench) (lost, acked int, err error) {
	d, err := newDisk(ctx, b, "control")
	if err != nil {
		return 0, 0, err
	}
	dir, err := b.Sub("control-logs")
	if err != nil {
		return 0, 0, err
	}
	shelf, err := b.Shelf(500, "ingest")
	if err != nil {
		return 0, 0, err
	}
	f, err := fleet.Start(ctx, fleet.Config{
		Programs: b.Programs, Dir: dir, Members: []string{"orchestrator"}, Store: d.path("nats"), Sync: "2m",
	})
	if err != nil {
		return 0, 0, err
	}
	b.fleets = append(b.fleets, f)
	b.Defer(f.Close)
	c, err := fleet.Dial(f.URL)
	if err != nil {
		return 0, 0, err
	}
	b.Defer(c.Close)
	if err := command(ctx, "sync", "-f", d.dir); err != nil { // streams survive: it is the starts that are looked at
		return 0, 0, err
	}
	if _, err := (fleet.Load{Tasks: shelf.Tasks, Seed: b.Seed}).Publish(ctx, c, nil); err != nil {
		return 0, 0, err
	}
	if err := d.powerCut(); err != nil {
		return 0, 0, err
	}
	f.Close()
	if err := d.unmount(ctx); err != nil {
		return 0, 0, err
	}
	if err := d.mount(ctx); err != nil {
		return 0, 0, err
	}
	if err := f.StartBroker(); err != nil {
		return 0, 0, err
	}
	defer f.Broker().Kill()
	found, err := survivors(ctx, c)
	return len(shelf.Tasks) - found, len(shelf.Tasks), err
}

// survivors returns how many starts a broker knows at most: those that wait, of
// which some may be there twice, and those that became runs.
func survivors(ctx context.Context, c *fleet.Client) (int, error) {
	if err := fleet.Within(ctx, 10*time.Second, func() error {
		_, err := c.JS.AccountInfo(ctx)
		return err
	}); err != nil {
		return 0, err
	}
	known := 0
	switch _, info, err := c.Info(ctx, "SAGA_STARTS"); {
	case err == nil:
		known += int(info.State.Msgs)
	case !errors.Is(err, jetstream.ErrStreamNotFound):
		return 0, err
	}
	err := c.Read(ctx, "SAGA_RUNS", events.AllRuns, func(r journal.Record) error {
		if s, err := events.ParseSubject(r.Subject); err == nil && s.Kind == events.KindStarted {
			known++
		}
		return nil
	})
	if errors.Is(err, jetstream.ErrStreamNotFound) { // lost as a whole
		err = nil
	}
	return known, err
}
