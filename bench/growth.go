package bench

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"segue/events"
)

// Sizes says at how many runs a measurement is made, in rising order.
type Sizes struct {
	// Journal is how many runs have ended and are in the journal.
	Journal []int
	// Running is how many runs wait for a step, beside all those of Journal.
	Running []int
}

// keepAll is how many runs stay in the journal.
const keepAll = 4_000_000

// Point is what was measured at one size.
type Point struct {
	Journal, Running int
	Saturation       Sample
	Single           Sample
	// Messages is how many messages the journal keeps.
	Messages uint64
	// Heap is what the process holds in memory, the broker in it too, in bytes.
	Heap uint64
}

// Growth measures, at each size, runs as [Segue] does, and tells of each as it is
// done. What fills the journal are such runs as well. At the end it measures how fast
// an orchestrator without a snapshot reads all that.
func Growth(ctx context.Context, cfg Config, sizes Sizes, tell func(Point)) (Replay, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return Replay{}, err
	}
	if !slices.IsSorted(sizes.Journal) || !slices.IsSorted(sizes.Running) || len(sizes.Journal) == 0 {
		return Replay{}, fmt.Errorf("bench: sizes must rise, and there must be one of the journal")
	}
	cfg.keep = keepAll
	for _, n := range sizes.Running {
		cfg.held = max(cfg.held, n)
	}
	s, err := newSystem(ctx, cfg)
	if err != nil {
		return Replay{}, fmt.Errorf("start what is measured: %w", err)
	}
	defer s.close()
	g := growth{cfg: cfg, s: s, driver: driver{mover: s}, tell: tell}
	for _, n := range sizes.Journal {
		if err := g.fill(ctx, n); err != nil {
			return Replay{}, fmt.Errorf("fill the journal: %w", err)
		}
		if err := g.measure(ctx); err != nil {
			return Replay{}, err
		}
	}
	for _, n := range sizes.Running {
		if err := s.hold(ctx, n-g.held); err != nil {
			return Replay{}, fmt.Errorf("begin runs that wait: %w", err)
		}
		g.held = max(g.held, n)
		if err := g.measure(ctx); err != nil {
			return Replay{}, err
		}
	}
	return s.replay(ctx)
}

type growth struct {
	driver

	cfg  Config
	s    *system
	held int
	tell func(Point)
}

func (g *growth) fill(ctx context.Context, runs int) error {
	if runs <= g.next {
		return nil
	}
	_, err := g.saturate(ctx, runs-g.next, g.cfg.Concurrency)
	return err
}

func (g *growth) measure(ctx context.Context) error {
	messages, err := g.kept(ctx)
	if err != nil {
		return err
	}
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	p := Point{Journal: g.next, Running: g.held, Messages: messages, Heap: memory.HeapAlloc}
	if p.Saturation, p.Single, err = g.extremes(ctx, g.cfg); err != nil {
		return err
	}
	g.tell(p)
	return nil
}

// kept returns how many messages the journal keeps, once it keeps all of the runs so
// far: who listens hears of the last ends a moment before they are stored.
func (g *growth) kept(ctx context.Context) (uint64, error) {
	all := uint64(g.next*(2*g.cfg.Steps+2) + 2*g.held)
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("the journal does not keep %d messages after %v", all, patience))
	defer cancel()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for {
		info, err := g.s.orchestrator.config.Journal.Info(ctx)
		if err != nil || info.Last >= all {
			return info.Last, err
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// hold begins runs whose step nobody does, and waits until its commands are there.
func (s *system) hold(ctx context.Context, n int) error {
	if n <= 0 {
		return nil
	}
	var commands atomic.Int64
	all := make(chan struct{})
	heard, err := s.start.Subscribe("saga.run.*.*.command."+nobody+".>", func(*nats.Msg) {
		if commands.Add(1) == int64(n) {
			close(all)
		}
	})
	if err != nil {
		return err
	}
	defer heard.Unsubscribe() //nolint:errcheck // fails only when the connection is closed
	for range n {
		if err := s.request(heldName, events.NewStartID()); err != nil {
			return err
		}
	}
	late := time.NewTimer(patience + time.Duration(n)*10*time.Millisecond)
	defer late.Stop()
	select {
	case <-all:
		return nil
	case err := <-s.errs:
		return err
	case <-late.C:
		return fmt.Errorf("of %d runs %d have a command", n, commands.Load())
	case <-ctx.Done():
		return ctx.Err()
	}
}
