//go:build unix

package main

import (
	"context"
	"fmt"
	"time"

	"segue/events"
	"segue/faults/fleet"
	"segue/journal"
	"segue/participant"
)

func init() {
	register(Fault{
		Name:  "crashing-command",
		Goal:  "a command that kills its worker ends failed after 5 deliveries; the runs behind it complete",
		Limit: 60 * time.Second, LongLimit: 10 * time.Minute,
		Run: crashingCommand,
	})
}

// crashingCommand sends commands that kill whoever takes them up, one after the
// other, and then good ones.
func crashingCommand(ctx context.Context, b *Bench) (r Report, err error) {
	lease, killers := time.Duration(b.Pick(1, 30))*time.Second, b.Pick(2, 3)
	cfg, err := b.actors(b.Dir, 1, 2)
	if err != nil {
		return r, err
	}
	cfg.Env = []string{fmt.Sprintf("SEGUE_LEASE=%v", lease)}
	s, err := b.Stage(ctx, cfg, nil)
	if err != nil {
		return r, err
	}
	s.MayExit = true
	var all []*fleet.Task
	for i := range killers {
		tasks := acts(1, fmt.Sprintf("killer-%d", i), act{Do: "exit", At: "second"}, "second")
		if _, err := s.turn(ctx, tasks, tasks); err != nil {
			return r, err
		}
		all = append(all, tasks...)
	}
	const good = 200
	tasks := acts(good, "good", act{Do: "ok"}, "")
	if _, err := s.turn(ctx, tasks, tasks); err != nil {
		return r, err
	}
	s.Tasks = append(all, tasks...)
	r.Did = fmt.Sprintf("%d commands that end their worker's process, lease %v, then %d good runs; a supervisor starts workers again", killers, lease, good)
	if err := s.Finish(ctx, &r); err != nil {
		return r, err
	}
	for _, t := range all {
		var code string
		err := s.Read(ctx, "SAGA_RUNS", events.RunFilter(t.Run()), func(record journal.Record) error {
			e, err := record.Entry()
			var f events.Failed
			if err == nil && e.Event.Type == events.TypeStepFailed {
				err = events.ReadData(e.Event, &f)
				code = f.Code
			}
			return err
		})
		if err != nil {
			return r, err
		}
		r.Want(code == participant.CodeCrash, "%s failed with %q", t.ID, code)
	}
	exits := len(s.Exits())
	r.Want(exits == killers*participant.DefaultMaxDeliveries, "%d workers died", exits)
	return r, nil
}
