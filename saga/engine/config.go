package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/trace"

	"segue/document"
	"segue/events"
	"segue/journal"
	"segue/saga"
)

// Defaults of [Config].
const (
	DefaultMaxRunning = 1024
	DefaultIntake     = 256
	DefaultWindow     = 4
	DefaultBatch      = 256
	DefaultKeepAge    = 24 * time.Hour
	DefaultKeepRuns   = 20_000
	DefaultSnapshot   = 2_000
)

// MinKeepAge is how long the messages of a run that has ended stay in the journal
// at least: what was decided or asked for while it went on finds its place taken.
const MinKeepAge = time.Minute

// Config says how an engine runs.
type Config struct {
	// Journal is where runs are. Required.
	Journal journal.Journal
	// Data keeps event data that is too large for a message, and the texts of the
	// definitions that runs are pinned to. Required.
	Data document.Store
	// Sagas are the definitions that starts may name, beside those that are applied
	// to the running system, which go before them. Runs of others, started earlier,
	// are carried on all the same.
	Sagas []*saga.Definition
	// DeclareQueues makes the queues of services exist; it is called with those that
	// an applied definition needs, before runs of it begin. Optional.
	DeclareQueues func(ctx context.Context, services []string) error
	// Log takes one line when a run begins, turns back, gets stuck and ends. Required.
	Log *slog.Logger
	// Metrics counts what happens. Optional.
	Metrics *Metrics
	// Traces takes the spans of runs, when they end. Optional.
	Traces trace.TracerProvider
	// ID names this engine among its like; it must be unique and a valid token of a
	// subject. Defaults to a new UUID.
	ID string
	// MaxRunning is how many runs may go on at a time in the partitions this engine
	// owns. Beyond it starts wait in their queue. Defaults to 1024.
	MaxRunning int
	// Intake is how many start events are handled at a time. Defaults to 256.
	Intake int
	// Window is how many batches of messages a partition may have on their way to
	// the journal. Defaults to 4.
	Window int
	// Batch is how many messages go to the journal at once. Defaults to 256.
	Batch int
	// KeepAge is how long the messages of a run that has ended stay in the journal;
	// what is kept in the history stays longer. At least [MinKeepAge]. Defaults to 24 h.
	KeepAge time.Duration
	// KeepRuns is how many runs that have ended stay at most, in all partitions
	// together; none leaves within [MinKeepAge] for it. Defaults to 20,000.
	KeepRuns int
	// SnapshotEvery is how many messages of a partition are read between snapshots,
	// at least. Defaults to 2,000.
	SnapshotEvery int
}

func (c Config) withDefaults() Config {
	c.ID = cmp.Or(c.ID, events.NewStartID())
	c.MaxRunning = cmp.Or(c.MaxRunning, DefaultMaxRunning)
	c.Intake = cmp.Or(c.Intake, DefaultIntake)
	c.Window = cmp.Or(c.Window, DefaultWindow)
	c.Batch = cmp.Or(c.Batch, DefaultBatch)
	c.KeepAge = cmp.Or(c.KeepAge, DefaultKeepAge)
	c.KeepRuns = cmp.Or(c.KeepRuns, DefaultKeepRuns)
	c.SnapshotEvery = cmp.Or(c.SnapshotEvery, DefaultSnapshot)
	return c
}

func (c Config) validate() error {
	switch {
	case c.Journal == nil || c.Data == nil || c.Log == nil:
		return errors.New("engine: Journal, Data and Log are required")
	case !events.ValidName(c.ID):
		return errors.New("engine: ID must be 1 to 64 letters, digits, - and _")
	case c.MaxRunning < 0 || c.Intake < 0 || c.Window < 0 || c.Batch < 0 || c.KeepRuns < 0 || c.SnapshotEvery < 0:
		return errors.New("engine: MaxRunning, Intake, Window, Batch, KeepRuns and SnapshotEvery must not be negative")
	case c.KeepAge < MinKeepAge:
		return fmt.Errorf("engine: KeepAge is %v, want at least %v", c.KeepAge, MinKeepAge)
	}
	names := make(map[string]bool)
	for _, d := range c.Sagas {
		if names[d.Name] {
			return errors.New("engine: two definitions of saga " + d.Name)
		}
		names[d.Name] = true
	}
	return nil
}
