//go:build unix

package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"segue/faults/fleet"
)

func init() {
	register(Fault{
		Name:  "kill-services",
		Goal:  "0 acked starts lost, 0 rows missing, twice or altered; what a killed service had in hand is answered within a lease + 2 s",
		Limit: 100 * time.Second, LongLimit: 20 * time.Minute,
		Run: killServices,
	})
}

// killServices kills a random program every 0.2 to 1 s while documents come in.
func killServices(ctx context.Context, b *Bench) (r Report, err error) {
	docs, kills := b.Pick(1500, 5000), b.Pick(30, 300)
	lease := time.Duration(b.Pick(5, 30)) * time.Second
	saga, err := sturdyWithin(b, 5*lease)
	if err != nil {
		return r, err
	}
	shelf, err := b.Shelf(docs, sturdyName)
	if err != nil {
		return r, err
	}
	cfg := fleet.Config{Sagas: []string{saga}, Env: []string{fmt.Sprintf("SEGUE_LEASE=%v", lease)}}
	s, err := b.Stage(ctx, cfg, shelf.Tasks)
	if err != nil {
		return r, err
	}
	// As many a second as keep the load going until the last kill.
	s.Load(ctx, float64(docs)/(float64(kills)*(meanKill+meanAbsence).Seconds()))
	var blows []blow
	for range kills {
		pause(ctx, b.between(200*time.Millisecond, time.Second))
		member := fleet.Ingest[b.Rand.IntN(len(fleet.Ingest))]
		blows = append(blows, blow{member, time.Now()})
		s.Kill(member)
		pause(ctx, b.between(0, 200*time.Millisecond))
		if err := s.Start(member); err != nil {
			return r, err
		}
	}
	r.Did = fmt.Sprintf("%d documents, %d kills -9 of %d programs every 0.2 to 1 s, lease %v", docs, kills, len(fleet.Ingest), lease)
	if err := s.Finish(ctx, &r); err != nil {
		return r, err
	}
	longest, err := resumed(ctx, s.Client, blows)
	if err != nil {
		return r, err
	}
	r.Want(longest > 0 && longest <= lease+2*time.Second, "what a killed service had in hand was answered after %.1f s at most", longest.Seconds())
	good, bad := s.timedOut()
	r.Want(good == 0, "%d steps that complete and %d that fail had to wait for their timeout", good, bad)
	return r, nil
}

// The means of what killServices waits.
const (
	meanKill    = 600 * time.Millisecond
	meanAbsence = 100 * time.Millisecond
)

// timedOut counts the runs in which an attempt timed out: those in which all goes
// well, which then lost what was done, and those in which a step fails. A failure is
// acked before it is stored, so that a kill between the two costs a timeout.
func (s *Scene) timedOut() (good, bad int) {
	for _, t := range s.Tasks {
		switch {
		case !s.Watch.TimedOut(t):
		case t.FailsAt != "" || t.Document != nil && t.Document.Flaky:
			bad++
		default:
			good++
		}
	}
	return good, bad
}

// between returns a random time.
func (b *Bench) between(least, most time.Duration) time.Duration {
	return least + time.Duration(b.Rand.Int64N(int64(most-least)))
}

// pause lets time pass: in a fault, time is what is done to the system.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// quantile returns the q-th quantile of times, which it sorts; 0 if there is none.
func quantile(times []time.Duration, q float64) time.Duration {
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	return times[min(len(times)-1, int(q*float64(len(times))))]
}
