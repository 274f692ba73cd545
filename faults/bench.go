//go:build unix

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"segue/faults/fleet"
)

// Bench is what a fault works with. It is closed when the fault has run.
type Bench struct {
	Programs fleet.Programs
	// Dir is the fault's own folder, for data and logs.
	Dir string
	// Long asks for the numbers of the long form.
	Long bool
	// Seed decides everything that is random; Rand begins with it.
	Seed uint64
	Rand *rand.Rand
	// Log tells whoever watches how it goes on.
	Log func(format string, args ...any)

	closers []func()
	fleets  []*fleet.Fleet
}

// Pick returns the number of the form that runs.
func (b *Bench) Pick(short, long int) int {
	if b.Long {
		return long
	}
	return short
}

// Defer has something done when the fault has run; the last comes first.
func (b *Bench) Defer(f func()) { b.closers = append(b.closers, f) }

func (b *Bench) close() {
	for _, f := range slices.Backward(b.closers) {
		f()
	}
}

// Sub returns a folder below Dir.
func (b *Bench) Sub(name string) (string, error) {
	dir := filepath.Join(b.Dir, name)
	return dir, os.MkdirAll(dir, 0o700)
}

// Shelf makes n documents for a saga and serves them.
func (b *Bench) Shelf(n int, saga string) (*fleet.Shelf, error) {
	s, err := fleet.NewShelf(n, saga, b.Seed)
	if err == nil {
		b.Defer(s.Close)
	}
	return s, err
}

// Scene is a fleet with work to do, and eyes on it.
type Scene struct {
	*fleet.Fleet
	*fleet.Client
	Watch *fleet.Watch
	Tasks []*fleet.Task
	// Saves says that there are rows to judge.
	Saves bool
	// MayExit says that programs may end by themselves.
	MayExit bool

	b     *Bench
	load  chan loaded
	stop  chan struct{}
	begin time.Time
}

// loaded is what came of publishing.
type loaded struct {
	left int // tasks, the last ones, that were not published
	err  error
}

// Stage starts a fleet with tasks to come, a supervisor for its members, a client
// and a watch. Programs and Dir are filled in where they are missing.
func (b *Bench) Stage(ctx context.Context, cfg fleet.Config, tasks []*fleet.Task) (*Scene, error) {
	cfg.Programs = b.Programs
	if cfg.Dir == "" {
		cfg.Dir = b.Dir
	}
	f, err := fleet.Start(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return b.Watch(ctx, f, tasks)
}

// Watch makes a scene of a fleet that runs; it is closed with the bench.
func (b *Bench) Watch(ctx context.Context, f *fleet.Fleet, tasks []*fleet.Task) (*Scene, error) {
	b.fleets = append(b.fleets, f)
	b.Defer(f.Close)
	c, err := fleet.Dial(f.URL)
	if err != nil {
		return nil, err
	}
	b.Defer(c.Close)
	ctx, cancel := context.WithCancel(ctx)
	b.Defer(cancel)
	go f.Supervise(ctx)
	saves := slices.ContainsFunc(tasks, func(t *fleet.Task) bool { return t.Document != nil })
	return &Scene{Fleet: f, Client: c, Watch: c.Watch(ctx, nil), Tasks: tasks, Saves: saves, b: b}, nil
}

// Load begins to publish the starts of the tasks there are, at so many a second; 0: as fast as they are acked.
func (s *Scene) Load(ctx context.Context, rate float64) {
	s.begin, s.load, s.stop = time.Now(), make(chan loaded, 1), make(chan struct{})
	load := fleet.Load{Tasks: s.Tasks, Rate: rate, Stop: s.stop, Seed: s.b.Seed}
	go func() {
		n, err := load.Publish(ctx, s.Client, s.Watch)
		s.load <- loaded{len(load.Tasks) - n, err}
	}()
}

// Enough ends the load, unless it has ended: the tasks not yet published are left out.
func (s *Scene) Enough() { close(s.stop) }

// Loading says whether starts are still to be published.
func (s *Scene) Loading() bool { return len(s.load) == 0 }

// drainLimit is how long the queues may take to be empty when all has ended and
// no fault is left: a lease, and what the judge grants.
const drainLimit = 65 * time.Second

// Finish waits until every start is acked and has ended and nothing is left in
// any queue, and has the judge look at what there is.
func (s *Scene) Finish(ctx context.Context, r *Report) error {
	done := <-s.load
	if done.err != nil {
		return fmt.Errorf("publish starts: %w", done.err)
	}
	s.Tasks = s.Tasks[:len(s.Tasks)-done.left]
	return s.settle(ctx, r)
}

// settle is Finish where the starts have been acked.
func (s *Scene) settle(ctx context.Context, r *Report) error {
	if err := fleet.Await(ctx, s.Watch.Finished(len(s.Tasks))); err != nil {
		return err
	}
	took := time.Since(s.begin)
	if err := fleet.Within(ctx, drainLimit, func() error { return s.Drained(ctx) }); err != nil {
		return fmt.Errorf("queues: %w", err)
	}
	database := ""
	if s.Saves {
		database = s.Database
	}
	v, err := fleet.Judge(ctx, s.Client, database, s.Tasks)
	if err != nil {
		return fmt.Errorf("judge: %w", err)
	}
	r.Note("%d of %d acked starts ended once (%d completed, %d compensated) in %.1f s", v.Completed+v.Compensated, len(s.Tasks), v.Completed, v.Compensated, took.Seconds())
	if s.Saves {
		r.Note("%d rows exact", v.Records)
	}
	if v.Late > 0 {
		r.Note("%d documents stored too late, left to expiry", v.Late)
	}
	if err := v.Err(); err != nil {
		return err
	}
	if exits := s.Exits(); len(exits) > 0 && !s.MayExit {
		r.Want(false, "%d programs ended by themselves, such as %s", len(exits), exits[0])
	}
	return s.Panics()
}

// tails shows the ends of the logs of all that has run.
func (b *Bench) tails() string {
	const most = 2 << 10
	var text strings.Builder
	for _, f := range b.fleets {
		for _, p := range f.Processes() {
			fmt.Fprintf(&text, "--- %s (%s) wrote at last, in %s:\n%s\n", p.Name, p.State(), p.Log, fleet.Tail(p.Text(), most))
		}
	}
	return text.String()
}
