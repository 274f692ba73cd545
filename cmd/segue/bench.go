package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"

	"segue/bench"
)

type benchCommand struct {
	Runs   benchRunsCommand   `cmd:"" default:"withargs" help:"Measure runs of steps that do nothing."`
	Table  benchTableCommand  `cmd:"" help:"Measure runs and documents in the usual settings and print tables."`
	Ingest benchIngestCommand `cmd:"" help:"Measure documents through the four services."`
	Growth benchGrowthCommand `cmd:"" help:"Measure whether a run costs the same however many there are."`
}

type benchRunsCommand struct {
	Runs        int    `help:"How many runs saturation is measured with." default:"20000" placeholder:"N"`
	Concurrency int    `help:"How many runs are in flight then." default:"512" placeholder:"N"`
	Steps       int    `help:"How many steps a run has, each in a service of its own." default:"4" placeholder:"N"`
	Payload     int    `help:"Bytes that go to each step and come back." default:"200" placeholder:"BYTES"`
	Sync        string `help:"always: what is acknowledged is on disk. default: the broker syncs every two minutes, as nats-server does unless told otherwise." enum:"always,default" default:"always" placeholder:"always|default"`
	Loopback    bool   `help:"Connect to the broker in this process by TCP, as separate programs would."`
	Floor       bool   `help:"Measure the broker alone moving the same messages as well, and print the ratio."`
	Own         bool   `help:"The floor has a subject of its own for each message, as Segue has. Otherwise few."`
	Rounds      int    `help:"Measure so often; what is printed are medians." default:"1" placeholder:"N"`
}

// Help teaches the rest.
func (benchRunsCommand) Help() string {
	return `Steps that do nothing, through the real orchestrator and the real runtime of services, on a broker in this process with data in a folder of --data-dir that is removed afterwards. With --server it is measured on a broker elsewhere, whose orchestrators have to be stopped; --sync then only says how that broker syncs.`
}

func (c *benchRunsCommand) Run(ctx context.Context, g *globals) error {
	log := g.Logger(os.Stderr, slog.LevelWarn)
	report := benchReport{
		Steps: c.Steps, Payload: c.Payload, Runs: c.Runs, Concurrency: c.Concurrency, Sync: c.Sync, Rounds: c.Rounds,
		Broker: c.where(g), machine: thisMachine(),
	}
	measures := []measure{bench.Segue}
	if c.Floor {
		manner := bench.Manner{Own: c.Own, Batched: c.Sync == "always"}
		report.Floor = manner.String()
		measures = append(measures, floor(manner))
	}
	results, err := c.rounds(ctx, g, log, measures...)
	if err != nil {
		return err
	}
	report.fill(results[0], slices.Concat(results[1:]...))
	if g.JSON {
		return json.NewEncoder(os.Stdout).Encode(report)
	}
	return report.print(os.Stdout)
}

// where says which broker it is measured on.
func (c *benchRunsCommand) where(g *globals) string {
	switch {
	case g.Server != "":
		return "elsewhere"
	case c.Loopback:
		return "loopback"
	default:
		return "in process"
	}
}

// measure is what a round consists of.
type measure func(context.Context, bench.Config) (bench.Result, error)

// floor measures the broker alone.
func floor(m bench.Manner) measure {
	return func(ctx context.Context, cfg bench.Config) (bench.Result, error) { return bench.Floor(ctx, cfg, m) }
}

// rounds makes all measures in each round, for what they are compared by may change
// with the hour, and returns the results of each.
func (c *benchRunsCommand) rounds(ctx context.Context, g *globals, log *slog.Logger, measures ...measure) ([][]bench.Result, error) {
	results := make([][]bench.Result, len(measures))
	for range max(c.Rounds, 1) {
		for i, m := range measures {
			r, err := c.on(ctx, g, log, m)
			if err != nil {
				return nil, err
			}
			results[i] = append(results[i], r)
		}
	}
	return results, nil
}

// on measures on a broker that is new, unless one was named.
func (c *benchRunsCommand) on(ctx context.Context, g *globals, log *slog.Logger, m measure) (bench.Result, error) {
	cfg := bench.Config{Log: log, Runs: c.Runs, Concurrency: c.Concurrency, Steps: c.Steps, Payload: c.Payload}
	if g.Server != "" {
		cfg.Dial = bench.Elsewhere(ctx, g.Connection, log)
		return m(ctx, cfg)
	}
	dir, err := benchFolder(g)
	if err != nil {
		return bench.Result{}, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // what is left behind is seen where it lies
	dial, stop, err := bench.Embedded(filepath.Join(dir, "nats"), c.Sync == "always", c.Loopback, log)
	if err != nil {
		return bench.Result{}, err
	}
	defer stop()
	cfg.Dial = dial
	return m(ctx, cfg)
}

// benchReport is what is printed.
type benchReport struct {
	RunsPerSecond  float64    `json:"runs_per_second"`
	FloorPerSecond float64    `json:"floor_per_second,omitempty"`
	Ratio          float64    `json:"ratio,omitempty"`
	Latency        quantiles  `json:"latency_ms"` // one in flight
	HalfLatency    quantiles  `json:"half_load_latency_ms"`
	FullLatency    quantiles  `json:"saturation_latency_ms"`
	FloorLatency   *quantiles `json:"floor_latency_ms,omitempty"`
	Floor          string     `json:"floor,omitempty"`
	Steps          int        `json:"steps"`
	Payload        int        `json:"payload_bytes"`
	Runs           int        `json:"runs"`
	Concurrency    int        `json:"concurrency"`
	Sync           string     `json:"sync"`
	Rounds         int        `json:"rounds"`
	Broker         string     `json:"broker"`
	machine
}

// machine is where something was measured.
type machine struct {
	CPUs   int    `json:"cpus"`
	Go     string `json:"go"`
	System string `json:"system"`
}

func thisMachine() machine {
	return machine{runtime.NumCPU(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
}

func (m machine) String() string { return fmt.Sprintf("%d CPUs, %s, %s", m.CPUs, m.Go, m.System) }

// quantiles are of latencies, in milliseconds.
type quantiles struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

func (r *benchReport) fill(segue, floor []bench.Result) {
	r.RunsPerSecond = median(segue, perSecond)
	r.Latency = latencies(segue, oneInFlight)
	r.HalfLatency = latencies(segue, func(r bench.Result) bench.Sample { return r.Half })
	r.FullLatency = latencies(segue, func(r bench.Result) bench.Sample { return r.Saturation })
	if len(floor) == 0 {
		return
	}
	r.FloorPerSecond = median(floor, perSecond)
	r.Ratio = r.RunsPerSecond / r.FloorPerSecond
	of := latencies(floor, oneInFlight)
	r.FloorLatency = &of
}

func perSecond(r bench.Result) float64        { return r.Saturation.PerSecond }
func oneInFlight(r bench.Result) bench.Sample { return r.Single }

func latencies(results []bench.Result, of func(bench.Result) bench.Sample) quantiles {
	at := func(q float64) float64 {
		return median(results, func(r bench.Result) float64 { return milliseconds(of(r), q) })
	}
	return quantiles{P50: at(0.5), P99: at(0.99)}
}

func milliseconds(s bench.Sample, q float64) float64 {
	return float64(s.Quantile(q)) / float64(time.Millisecond)
}

// median of what results say.
func median(results []bench.Result, of func(bench.Result) float64) float64 {
	values := make([]float64, len(results))
	for i, r := range results {
		values[i] = of(r)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func (r *benchReport) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%d steps, %d bytes each, broker %s, sync %s; %v; median of %d\n\n", r.Steps, r.Payload, r.Broker, r.Sync, r.machine, r.Rounds)
	fmt.Fprintf(w, "saturation, %d in flight\t%.0f runs/s\tp50 %.2f ms\tp99 %.2f ms\n", r.Concurrency, r.RunsPerSecond, r.FullLatency.P50, r.FullLatency.P99)
	fmt.Fprintf(w, "half of it\t%.0f runs/s\tp50 %.2f ms\tp99 %.2f ms\n", r.RunsPerSecond/2, r.HalfLatency.P50, r.HalfLatency.P99)
	fmt.Fprintf(w, "one in flight\t\tp50 %.2f ms\tp99 %.2f ms\n", r.Latency.P50, r.Latency.P99)
	if r.FloorLatency != nil {
		fmt.Fprintf(w, "the broker alone, %s\t%.0f runs/s\tp50 %.2f ms\tp99 %.2f ms\tone in flight\n", r.Floor, r.FloorPerSecond, r.FloorLatency.P50, r.FloorLatency.P99)
		fmt.Fprintf(w, "ratio\t%.2f\n", r.Ratio)
	}
	return w.Flush()
}
