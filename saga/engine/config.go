package engine

import (
	"cmp"
	"errors"
	"log/slog"

	"segue/document"
	"segue/events"
	"segue/journal"
	"segue/saga"
)

// Defaults of [Config].
const (
	DefaultMaxRunning = 1024
	DefaultIntake     = 16
	DefaultWindow     = 4
	DefaultBatch      = 256
)

// Config says how an engine runs.
type Config struct {
	// Journal is where runs are. Required.
	Journal journal.Journal
	// Data keeps event data that is too large for a message, and the texts of the
	// definitions that runs are pinned to. Required.
	Data document.Store
	// Sagas are the definitions that starts may name. Runs of others, started
	// earlier, are carried on all the same.
	Sagas []*saga.Definition
	// Log takes one line when a run begins, turns back, gets stuck and ends. Required.
	Log *slog.Logger
	// Metrics counts what happens. Optional.
	Metrics *Metrics
	// ID names this engine among its like; it must be unique and a valid token of a
	// subject. Defaults to a new UUID.
	ID string
	// MaxRunning is how many runs may go on at a time in the partitions this engine
	// owns. Beyond it starts wait in their queue. Defaults to 1024.
	MaxRunning int
	// Intake is how many start events are handled at a time. Defaults to 16.
	Intake int
	// Window is how many batches of messages a partition may have on their way to
	// the journal. Defaults to 4.
	Window int
	// Batch is how many messages go to the journal at once. Defaults to 256.
	Batch int
}

func (c Config) withDefaults() Config {
	c.ID = cmp.Or(c.ID, events.NewStartID())
	c.MaxRunning = cmp.Or(c.MaxRunning, DefaultMaxRunning)
	c.Intake = cmp.Or(c.Intake, DefaultIntake)
	c.Window = cmp.Or(c.Window, DefaultWindow)
	c.Batch = cmp.Or(c.Batch, DefaultBatch)
	return c
}

func (c Config) validate() error {
	switch {
	case c.Journal == nil || c.Data == nil || c.Log == nil:
		return errors.New("engine: Journal, Data and Log are required")
	case !events.ValidName(c.ID):
		return errors.New("engine: ID must be 1 to 64 letters, digits, - and _")
	case c.MaxRunning < 0 || c.Intake < 0 || c.Window < 0 || c.Batch < 0:
		return errors.New("engine: MaxRunning, Intake, Window and Batch must not be negative")
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
