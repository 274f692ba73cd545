package bench

import (
	"context"
	"fmt"
)

// How much of [Config.Runs] the other measurements take, and the least and most.
const (
	warmShare, warmLeast   = 5, 100
	singleShare, maxSingle = 10, 1000
	halfShare              = 2
)

// Result is what came of measuring one mover.
type Result struct {
	Saturation Sample
	Single     Sample
	Half       Sample
}

// Segue measures Segue.
func Segue(ctx context.Context, cfg Config) (Result, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return Result{}, err
	}
	s, err := newSystem(ctx, cfg)
	if err != nil {
		return Result{}, fmt.Errorf("start what is measured: %w", err)
	}
	defer s.close()
	return measure(ctx, cfg, s)
}

// Floor measures the broker alone.
func Floor(ctx context.Context, cfg Config, m Manner) (Result, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return Result{}, err
	}
	f, err := newFloor(ctx, cfg, m)
	if err != nil {
		return Result{}, fmt.Errorf("start the floor: %w", err)
	}
	defer f.close()
	return measure(ctx, cfg, f)
}

func measure(ctx context.Context, cfg Config, m mover) (r Result, err error) {
	d := &driver{mover: m}
	if _, err = d.saturate(ctx, max(cfg.Runs/warmShare, warmLeast), cfg.Concurrency); err != nil {
		return r, fmt.Errorf("warm up: %w", err)
	}
	if r.Saturation, r.Single, err = d.extremes(ctx, cfg); err != nil {
		return r, err
	}
	if r.Half, err = d.pace(ctx, max(cfg.Runs/halfShare, 1), r.Saturation.PerSecond/2); err != nil {
		return r, fmt.Errorf("measure half of saturation: %w", err)
	}
	return r, nil
}

// extremes measures with as many runs in flight as there may be, and with one.
func (d *driver) extremes(ctx context.Context, cfg Config) (saturation, single Sample, err error) {
	if saturation, err = d.saturate(ctx, cfg.Runs, cfg.Concurrency); err != nil {
		return saturation, single, fmt.Errorf("measure saturation: %w", err)
	}
	if single, err = d.saturate(ctx, min(max(cfg.Runs/singleShare, 1), maxSingle), 1); err != nil {
		return saturation, single, fmt.Errorf("measure one in flight: %w", err)
	}
	return saturation, single, nil
}
