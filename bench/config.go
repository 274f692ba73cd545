package bench

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
)

// Defaults of [Config].
const (
	DefaultRuns        = 20_000
	DefaultConcurrency = 512
	DefaultSteps       = 4
	DefaultPayload     = 200
)

// Limits of [Config].
const (
	MaxSteps   = 100
	MaxPayload = 900_000 // bytes; event data has 1 MiB
)

// Config says what is measured.
type Config struct {
	// Dial makes the connections, one for each part. Required.
	Dial Dial
	// Log takes what goes wrong. Required.
	Log *slog.Logger
	// Runs is how many runs saturation is measured with. Defaults to 20,000.
	Runs int
	// Concurrency is how many of them are in flight. Defaults to 512.
	Concurrency int
	// Steps is how many steps a run has. Defaults to 4.
	Steps int
	// Payload is the size of what goes to each step and comes back, in bytes.
	// Defaults to 200.
	Payload int

	held int // runs that wait beside those that are measured
	keep int // runs that stay in the journal when they have ended; 0 for the default
}

func (c Config) withDefaults() Config {
	c.Runs = cmp.Or(c.Runs, DefaultRuns)
	c.Concurrency = cmp.Or(c.Concurrency, DefaultConcurrency)
	c.Steps = cmp.Or(c.Steps, DefaultSteps)
	c.Payload = cmp.Or(c.Payload, DefaultPayload)
	return c
}

func (c Config) validate() error {
	switch {
	case c.Dial == nil || c.Log == nil:
		return errors.New("bench: Dial and Log are required")
	case c.Runs < 10 || c.Concurrency < 1:
		return errors.New("bench: Runs must be at least 10, Concurrency at least 1")
	case c.Steps < 1 || c.Steps > MaxSteps:
		return fmt.Errorf("bench: Steps is %d, want 1 to %d", c.Steps, MaxSteps)
	case c.Payload < 1 || c.Payload > MaxPayload:
		return fmt.Errorf("bench: Payload is %d bytes, want 1 to %d", c.Payload, MaxPayload)
	}
	return nil
}
