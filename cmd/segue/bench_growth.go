package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"

	"segue/bench"
)

type benchGrowthCommand struct {
	Journal     []int  `help:"At how many runs in the journal it is measured." default:"1000,10000,100000" placeholder:"N"`
	Running     []int  `help:"And then at how many runs that wait for a step as well." default:"10,1000,10000,50000" placeholder:"N"`
	Runs        int    `help:"How many runs each measurement takes." default:"2000" placeholder:"N"`
	Concurrency int    `help:"How many of them are in flight." default:"512" placeholder:"N"`
	Sync        string `help:"always or default, as in segue bench." enum:"always,default" default:"default" placeholder:"always|default"`
}

// Help teaches the rest.
func (benchGrowthCommand) Help() string {
	return `The runs are those of segue bench: four steps that do nothing, on a broker in this process. What is printed is a table and plots in Markdown. The journal is filled with such runs too: 100,000 take a minute or two, 1,000,000 a quarter of an hour. At the end an orchestrator without a snapshot reads all of it.`
}

func (c *benchGrowthCommand) Run(ctx context.Context, g *globals) error {
	log := g.Logger(os.Stderr, slog.LevelWarn)
	dir, err := benchFolder(g)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // what is left behind is seen where it lies
	dial, stop, err := bench.Embedded(filepath.Join(dir, "nats"), c.Sync == "always", false, log)
	if err != nil {
		return err
	}
	defer stop()
	cfg := bench.Config{Dial: dial, Log: log, Runs: c.Runs, Concurrency: c.Concurrency}
	report := growthReport{Sync: c.Sync, Runs: c.Runs, Concurrency: c.Concurrency, machine: thisMachine()}
	replay, err := bench.Growth(ctx, cfg, bench.Sizes{Journal: c.Journal, Running: c.Running}, func(p bench.Point) {
		report.Points = append(report.Points, growthPoint{
			Journal: p.Journal, Running: p.Running, RunsPerSecond: p.Saturation.PerSecond, Latency: quantiles{milliseconds(p.Single, 0.5), milliseconds(p.Single, 0.99)},
			Messages: p.Messages, Heap: float64(p.Heap) / (1 << 20),
		})
	})
	if err != nil {
		return err
	}
	report.Replayed, report.Replay = replay.Messages, replay.PerSecond()
	if g.JSON {
		return json.NewEncoder(os.Stdout).Encode(report)
	}
	return report.print(os.Stdout)
}

// growthReport is what is printed.
type growthReport struct {
	Points      []growthPoint `json:"points"`
	Replayed    uint64        `json:"replayed_messages"`
	Replay      float64       `json:"replayed_messages_per_second"` // by an orchestrator without a snapshot
	Sync        string        `json:"sync"`
	Runs        int           `json:"runs"`
	Concurrency int           `json:"concurrency"`
	machine
}

type growthPoint struct {
	Journal       int       `json:"journal"`
	Running       int       `json:"running"`
	RunsPerSecond float64   `json:"runs_per_second"`
	Latency       quantiles `json:"latency_ms"`
	Messages      uint64    `json:"messages"`
	Heap          float64   `json:"heap_mib"` // of the process, broker and all
}

func (r *growthReport) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	fmt.Fprintf(out, "%d runs each, %d in flight, broker in process, sync %s; %v\n\n", r.Runs, r.Concurrency, r.Sync, r.machine)
	fmt.Fprintln(w, "| runs in the journal\t| messages\t| runs that wait\t| runs/s\t| p50 ms, one in flight\t| p99 ms\t| heap MiB\t|")
	fmt.Fprintln(w, "|---\t|---\t|---\t|---\t|---\t|---\t|---\t|")
	for _, p := range r.Points {
		fmt.Fprintf(w, "| %d\t| %d\t| %d\t| %.0f\t| %.2f\t| %.2f\t| %.0f\t|\n", p.Journal, p.Messages, p.Running, p.RunsPerSecond, p.Latency.P50, p.Latency.P99, p.Heap)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	r.memory(out)
	fmt.Fprintf(out, "\nAn orchestrator without a snapshot reads %.0f messages a second (%d in %.1f s).\n", r.Replay, r.Replayed, float64(r.Replayed)/r.Replay)
	r.plot(out, "runs/s by runs in the journal", func(p growthPoint) (int, bool) { return p.Journal, p.Running == 0 })
	r.plot(out, "runs/s by runs that wait", func(p growthPoint) (int, bool) { return p.Running, p.Running > 0 })
	return nil
}

// memory says what a message that is kept takes, and a run that waits.
func (r *growthReport) memory(out io.Writer) {
	var kept, waiting []growthPoint
	for _, p := range r.Points {
		if p.Running == 0 {
			kept = append(kept, p)
		} else {
			waiting = append(waiting, p)
		}
	}
	if len(kept) < 2 {
		return
	}
	first, last := kept[0], kept[len(kept)-1]
	if last.Messages == first.Messages {
		return
	}
	each := (last.Heap - first.Heap) * 1024 / float64(last.Messages-first.Messages)
	fmt.Fprintf(out, "\nA message that is kept takes %.2f KiB of memory, in the broker and the orchestrator together.\n", each)
	if len(waiting) < 2 {
		return
	}
	first, last = waiting[0], waiting[len(waiting)-1]
	runs := float64(last.Running - first.Running)
	others := float64(last.Messages-first.Messages) - runs*heldMessages       // of the runs that were measured meanwhile
	if held := ((last.Heap-first.Heap)*1024 - others*each) / runs; held > 0 { // else they are too few to tell
		fmt.Fprintf(out, "A run that waits takes %.1f KiB, its messages in it.\n", held)
	}
}

// heldMessages is how many messages there are of a run that waits.
const heldMessages = 2

// plot draws the runs a second of those points that have an x.
func (r *growthReport) plot(out io.Writer, title string, x func(growthPoint) (int, bool)) {
	var xs, ys []string
	for _, p := range r.Points {
		if at, ok := x(p); ok {
			xs = append(xs, strconv.Quote(strconv.Itoa(at)))
			ys = append(ys, strconv.Itoa(int(p.RunsPerSecond)))
		}
	}
	if len(xs) == 0 {
		return
	}
	fmt.Fprintf(out, "\n```mermaid\nxychart-beta\n    title %q\n    x-axis [%s]\n    y-axis \"runs/s\" 0 --> %d\n    bar [%s]\n```\n",
		title, strings.Join(xs, ", "), r.highest(), strings.Join(ys, ", "))
}

// highest is a round number above all.
func (r *growthReport) highest() int {
	most := 0
	for _, p := range r.Points {
		most = max(most, int(p.RunsPerSecond))
	}
	return (most/500 + 1) * 500
}
