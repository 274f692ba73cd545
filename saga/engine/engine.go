// Package engine is the shell round the core: it reads the journal, lets package
// saga decide and writes what it decides.
//
//	saga.start.*       => intake: a started message, or a rejection with the reason
//	saga.run.<pp>.>    => one loop for each partition that this engine owns:
//	                      follow, apply, decide, append
//	saga.definition.*  => the definitions of new runs, if they are good
//	saga.schedule.*.*  => starts, each at its time
//	ended runs         => the history, and in time out of the journal
//	members            => who owns which partition, by rendezvous hashing
//
// An engine keeps nothing that is not in the journal. Recovery is the ordinary
// path: read, apply, decide; snapshots only make it shorter. Several engines share the
// partitions; while the owner of one changes, two may decide for it, which is
// harmless because each message is written once.
package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"segue/journal"
)

// Engine drives runs. Make one with [New].
type Engine struct {
	Config
	catalogue  *catalogue
	clock      *journal.Clock
	partitions int
	journalID  string
	cuts       cuts
	running    atomic.Int64  // runs that have not ended, in the partitions owned
	reserved   atomic.Int64  // room for runs whose start is awaited or being taken in
	door       chan struct{} // holds who waits for room
	joined     atomic.Bool   // the partitions have been shared out
	shares     atomic.Int64  // partitions that are owned
	current    atomic.Int64  // partitions that are owned and read up to the present
}

// New returns an engine that is not running yet.
func New(cfg Config) (*Engine, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg.Log = cfg.Log.With("orchestrator", cfg.ID)
	return &Engine{Config: cfg, catalogue: newCatalogue(cfg.Sagas, cfg.Data), door: make(chan struct{}, 1)}, nil
}

// Run drives runs until ctx is done, then stops with nothing lost: whatever was
// on its way is decided again by the next engine. It returns an error only if it
// could not begin or the journal was closed.
func (e *Engine) Run(ctx context.Context) error {
	if err := e.catalogue.publish(ctx); err != nil {
		return err
	}
	info, err := e.Journal.Info(ctx)
	if err != nil {
		return fmt.Errorf("read journal info: %w", err)
	}
	e.partitions, e.journalID = info.Partitions, info.ID
	e.cuts.partitions = e.partitions
	if e.clock, err = journal.NewClock(ctx, e.Journal); err != nil {
		return err
	}
	// The feed lives in the context of those who read it: its end is never news to them.
	group, ctx := errgroup.WithContext(ctx)
	applied, err := e.readApplied(ctx)
	if err != nil {
		return err
	}
	group.Go(func() error { return e.followApplied(ctx, applied) })
	group.Go(func() error { e.clock.Keep(ctx, e.Journal); return nil })
	group.Go(func() error { return e.own(ctx) })
	group.Go(func() error { return e.intake(ctx) })
	group.Go(func() error { return e.keepSchedules(ctx) })
	return group.Wait()
}

// Ready says that every partition this engine owns has been read up to the
// present. One that owns none stands by and is ready.
func (e *Engine) Ready() bool {
	return e.joined.Load() && e.current.Load() == e.shares.Load()
}

// own keeps one loop running for each partition that falls to this engine.
func (e *Engine) own(ctx context.Context) error {
	members, err := e.Journal.Members(ctx, e.ID, e.cuts.say)
	if err != nil {
		return fmt.Errorf("join orchestrators: %w", err)
	}
	loops := make(map[int]func()) // partition => stop, which waits
	defer func() {
		for _, stop := range loops {
			stop()
		}
	}()
	var shared []string
	for alive := range members {
		ids := e.hear(alive)
		if slices.Equal(ids, shared) {
			continue
		}
		shared = ids
		mine := owned(e.ID, ids, e.partitions)
		for p, stop := range loops {
			if !mine[p] {
				stop()
				delete(loops, p)
			}
		}
		for p := range e.partitions {
			if mine[p] && loops[p] == nil {
				loops[p] = e.start(ctx, p)
			}
		}
		e.shares.Store(int64(len(loops)))
		e.joined.Store(true)
		e.Log.Info("partitions shared out", "orchestrators", len(ids), "owned", len(loops))
	}
	return nil
}

// hear returns the ids of all engines and takes what the others say.
func (e *Engine) hear(alive []journal.Member) (ids []string) {
	var others [][]byte
	for _, m := range alive {
		ids = append(ids, m.ID)
		if m.ID != e.ID {
			others = append(others, m.Said)
		}
	}
	e.cuts.hear(others, e.clock.Now())
	return ids
}

// start runs the loop of a partition and returns what stops it.
func (e *Engine) start(ctx context.Context, number int) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var loop sync.WaitGroup
	loop.Go(func() {
		for ctx.Err() == nil {
			p := newPartition(e, number)
			err := p.run(ctx)
			p.leave()
			switch {
			case ctx.Err() != nil:
			case errors.Is(err, errReplaced): // there is less to read now
				e.Log.Info("partition is read again", "partition", number, "reason", err)
			default:
				e.Log.Warn("partition is read again", "partition", number, "error", err)
				pause(ctx, retryDelay)
			}
		}
	})
	return func() { cancel(); loop.Wait() }
}

// retryDelay is how long the engine waits before it does again what the journal
// would not let it do.
const retryDelay = time.Second

// pause waits, or until ctx is done.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// persist repeats an operation on the journal until it succeeds or ctx is done.
func persist(ctx context.Context, log *slog.Logger, what string, do func() error) error {
	for {
		err := do()
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		log.Warn(what+" is tried again", "error", err)
		pause(ctx, retryDelay)
	}
}
