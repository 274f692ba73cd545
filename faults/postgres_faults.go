//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"segue/faults/fleet"
)

func init() {
	register(Fault{
		Name:  "postgres-kill",
		Goal:  "rows exact; the saver says within 5 s that the database is gone, and is ready within 5 s of its return",
		Limit: 90 * time.Second, LongLimit: 30 * time.Minute,
		Run: postgresKill,
	})
}

// noticed is how soon a program has to say that its database is gone, or back.
const noticed = 5 * time.Second

// postgresKill kills the first process of PostgreSQL under load, again and again.
func postgresKill(ctx context.Context, b *Bench) (r Report, err error) {
	kills, longest := b.Pick(3, 20), time.Duration(b.Pick(2, 30))*time.Second
	const rate = 30
	pg, err := startPostgres(ctx, b)
	if err != nil {
		return r, err
	}
	saga, err := sturdy(b)
	if err != nil {
		return r, err
	}
	shelf, err := b.Shelf(rate*kills*int(2+longest/time.Second), sturdyName)
	if err != nil {
		return r, err
	}
	s, err := b.Stage(ctx, fleet.Config{Sagas: []string{saga}, Database: pg.URL(), Env: []string{"SEGUE_LEASE=5s"}}, shelf.Tasks)
	if err != nil {
		return r, err
	}
	s.Load(ctx, rate)
	var gone, back time.Duration
	for range kills {
		pause(ctx, b.between(500*time.Millisecond, 2*time.Second))
		if !s.Loading() {
			return r, errQuiet
		}
		begin := time.Now()
		pg.kill()
		if err := fleet.Within(ctx, 2*noticed, s.notReady(ctx, "saver")); err != nil {
			return r, err
		}
		gone = max(gone, time.Since(begin))
		pause(ctx, b.between(0, longest))
		if err := pg.start(ctx); err != nil {
			return r, err
		}
		begin = time.Now()
		if err := s.Ready(ctx, "saver"); err != nil {
			return r, err
		}
		back = max(back, time.Since(begin))
	}
	s.Enough()
	r.Did = fmt.Sprintf("documents at %d/s, %d kills -9 of PostgreSQL, started again 0 to %v later", rate, kills, longest)
	r.Want(gone <= noticed, "said to be gone after %.1f s", gone.Seconds())
	r.Want(back <= noticed, "ready %.1f s after its return", back.Seconds())
	return r, s.Finish(ctx, &r)
}

// notReady says whether a member tells that it is not ready.
func (s *Scene) notReady(ctx context.Context, member string) func() error {
	return func() error {
		if _, err := s.Get(ctx, member, "/readyz"); err == nil {
			return errors.New(member + " says that it is ready")
		}
		return nil
	}
}
