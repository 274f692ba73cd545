package bench

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// mover is what is measured. Runs are numbered from 0, each number once.
type mover interface {
	// begin starts a run and does not wait for anything.
	begin(run int) error
	// ended brings the numbers of runs that have ended, each once.
	ended() <-chan int
	// failed brings what makes all measuring useless.
	failed() <-chan error
}

// patience is how long a run may take before a measurement is given up.
const patience = 30 * time.Second

// Sample is what came of one measurement.
type Sample struct {
	// PerSecond is how many runs ended a second.
	PerSecond float64
	// Latencies are the times from begin to end, sorted.
	Latencies []time.Duration
}

// Quantile returns the latency that a share of the runs kept to.
func (s Sample) Quantile(q float64) time.Duration {
	if len(s.Latencies) == 0 {
		return 0
	}
	return s.Latencies[min(int(q*float64(len(s.Latencies))), len(s.Latencies)-1)]
}

// driver begins runs and waits for their ends.
type driver struct {
	mover
	next  int // number of the next run
	begun []time.Time
	ends  []time.Duration
	first int // number of the first run of the measurement
}

// saturate keeps so many runs in flight until n have ended.
func (d *driver) saturate(ctx context.Context, n, inFlight int) (Sample, error) {
	d.reset(n)
	since := time.Now()
	for range min(n, inFlight) {
		if err := d.start(); err != nil {
			return Sample{}, err
		}
	}
	for len(d.ends) < n {
		if err := d.wait(ctx, nil); err != nil {
			return Sample{}, err
		}
		if len(d.begun) < n {
			if err := d.start(); err != nil {
				return Sample{}, err
			}
		}
	}
	return d.sample(since), nil
}

// pace begins n runs at so many a second, however many are in flight.
func (d *driver) pace(ctx context.Context, n int, perSecond float64) (Sample, error) {
	d.reset(n)
	since := time.Now()
	for len(d.ends) < n {
		var due <-chan time.Time
		if len(d.begun) < n {
			at := since.Add(time.Duration(float64(len(d.begun)) / perSecond * float64(time.Second)))
			if wait := time.Until(at); wait > 0 {
				due = time.After(wait)
			} else if err := d.start(); err != nil {
				return Sample{}, err
			} else {
				continue
			}
		}
		if err := d.wait(ctx, due); err != nil {
			return Sample{}, err
		}
	}
	return d.sample(since), nil
}

func (d *driver) reset(n int) {
	d.first = d.next
	d.begun, d.ends = make([]time.Time, 0, n), make([]time.Duration, 0, n)
}

func (d *driver) start() error {
	d.begun = append(d.begun, time.Now())
	d.next++
	return d.begin(d.next - 1)
}

// wait waits for the end of a run, or until due.
func (d *driver) wait(ctx context.Context, due <-chan time.Time) error {
	select {
	case run := <-d.ended():
		d.take(run)
		return nil
	default:
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case run := <-d.ended():
		d.take(run)
	case <-due:
	case err := <-d.failed():
		return err
	case <-late.C:
		return fmt.Errorf("measure runs: %d of %d have not ended, the last end was %v ago", len(d.begun)-len(d.ends), len(d.begun), patience)
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

func (d *driver) take(run int) {
	if at := run - d.first; at >= 0 && at < len(d.begun) {
		d.ends = append(d.ends, time.Since(d.begun[at]))
	}
}

func (d *driver) sample(since time.Time) Sample {
	s := Sample{PerSecond: float64(len(d.ends)) / time.Since(since).Seconds(), Latencies: d.ends}
	slices.Sort(s.Latencies)
	return s
}
