package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"text/tabwriter"

	"segue/bench"
	"segue/broker"
	"segue/daemon"
)

type benchTableCommand struct {
	Runs      int    `help:"How many runs saturation is measured with." default:"10000" placeholder:"N"`
	Documents int    `help:"How many small documents are saved; of those of 1 MiB a tenth." default:"2000" placeholder:"N"`
	Rounds    int    `help:"Measure so often; what is printed are medians." default:"5" placeholder:"N"`
	Database  string `help:"Another database that documents are saved in: postgres://… . The rows stay there." placeholder:"URL"`
}

// Help teaches the rest.
func (benchTableCommand) Help() string {
	return `What segue bench runs and segue bench ingest measure, in the settings that docs/performance.md has, on brokers in this process. It takes twenty minutes, and the machine for itself. Tables are in Markdown.`
}

func (c *benchTableCommand) Run(ctx context.Context, g *globals) error {
	log := g.Logger(os.Stderr, slog.LevelWarn)
	report := tableReport{Rounds: max(c.Rounds, 1), NATS: broker.Version, Segue: daemon.Version(), machine: thisMachine()}
	on := *g
	on.Server = ""
	for _, setting := range c.runs() {
		r, err := setting.row(ctx, &on, log)
		if err != nil {
			return err
		}
		report.Runs = append(report.Runs, r)
	}
	for _, row := range c.documents() {
		r, err := medianOf(ctx, &on, row, report.Rounds)
		if err != nil {
			return err
		}
		report.Documents = append(report.Documents, r)
	}
	if g.JSON {
		return json.NewEncoder(os.Stdout).Encode(report)
	}
	return report.print(os.Stdout)
}

// manySteps is what a definition has that is large.
const manySteps = 100

// runs are the settings for runs.
func (c *benchTableCommand) runs() []benchRunsCommand {
	var rows []benchRunsCommand
	for _, sync := range []string{"default", "always"} {
		for _, loopback := range []bool{true, false} {
			rows = append(rows, benchRunsCommand{Runs: c.Runs, Concurrency: bench.DefaultConcurrency, Steps: bench.DefaultSteps,
				Payload: bench.DefaultPayload, Sync: sync, Loopback: loopback, Rounds: c.Rounds})
		}
	}
	many := rows[0]
	many.Steps, many.Runs = manySteps, max(many.Runs*bench.DefaultSteps/manySteps, 10)
	return append(rows, many)
}

// documents are the settings for documents: small ones, and some of about 1 MiB.
func (c *benchTableCommand) documents() []benchIngestCommand {
	var rows []benchIngestCommand
	for _, database := range slices.Compact([]string{"", c.Database}) {
		rows = append(rows, benchIngestCommand{Documents: c.Documents, Records: 10, Concurrency: 64, Database: database},
			benchIngestCommand{Documents: max(c.Documents/10, 1), Records: 10_000, Concurrency: 16, Database: database})
	}
	return rows
}

// row measures Segue, and the broker alone on few subjects and on one for each
// message.
func (c *benchRunsCommand) row(ctx context.Context, g *globals, log *slog.Logger) (runsRow, error) {
	batched := c.Sync == "always"
	results, err := c.rounds(ctx, g, log, bench.Segue, floor(bench.Manner{Batched: batched}), floor(bench.Manner{Own: true, Batched: batched}))
	if err != nil {
		return runsRow{}, err
	}
	return runsRow{
		Broker: c.where(g), Sync: c.Sync, Steps: c.Steps,
		RunsPerSecond: median(results[0], perSecond), Few: median(results[1], perSecond), Own: median(results[2], perSecond),
		Latency: latencies(results[0], oneInFlight), FloorLatency: latencies(results[1], oneInFlight),
	}, nil
}

// medianOf returns the report of the round that is in the middle by documents a second.
func medianOf(ctx context.Context, g *globals, c benchIngestCommand, rounds int) (*ingestReport, error) {
	reports := make([]*ingestReport, rounds)
	for i := range reports {
		var err error
		if reports[i], err = c.measure(ctx, g); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(reports, func(a, b *ingestReport) int { return cmp.Compare(a.DocumentsPerSecond, b.DocumentsPerSecond) })
	return reports[rounds/2], nil
}

// tableReport is what is printed.
type tableReport struct {
	Runs      []runsRow       `json:"runs"`
	Documents []*ingestReport `json:"documents"`
	Rounds    int             `json:"rounds"`
	NATS      string          `json:"nats_server"`
	Segue     string          `json:"segue"`
	machine
}

// runsRow is one setting for runs.
type runsRow struct {
	Broker        string    `json:"broker"`
	Sync          string    `json:"sync"`
	Steps         int       `json:"steps"`
	RunsPerSecond float64   `json:"runs_per_second"`
	Latency       quantiles `json:"latency_ms"`
	Few           float64   `json:"floor_per_second_few_subjects"`
	Own           float64   `json:"floor_per_second_own_subjects"`
	FloorLatency  quantiles `json:"floor_latency_ms"`
}

func (r *tableReport) print(out io.Writer) error {
	fmt.Fprintf(out, "%v, nats-server %s, segue %s; medians of %d\n\n", r.machine, r.NATS, r.Segue, r.Rounds)
	w := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	fmt.Fprintln(w, "| steps\t| sync\t| broker\t| runs/s\t| the broker alone, few subjects\t| ratio\t| own subjects\t| ratio\t| p50 ms, one in flight\t| p99 ms\t| the broker alone, p50 ms\t|")
	fmt.Fprintln(w, "|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|")
	for _, x := range r.Runs {
		fmt.Fprintf(w, "| %d\t| %s\t| %s\t| %.0f\t| %.0f\t| %.2f\t| %.0f\t| %.2f\t| %.2f\t| %.2f\t| %.2f\t|\n", x.Steps, x.Sync, x.Broker,
			x.RunsPerSecond, x.Few, x.RunsPerSecond/x.Few, x.Own, x.RunsPerSecond/x.Own, x.Latency.P50, x.Latency.P99, x.FloorLatency.P50)
	}
	fmt.Fprintln(w)
	fmt.Fprintln(w, "| records\t| at a time\t| database\t| documents/s\t| records/s\t| fetch ms\t| validate\t| parse\t| save\t| between steps\t| a run\t|")
	fmt.Fprintln(w, "|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|")
	for _, x := range r.Documents {
		fmt.Fprintf(w, "| %d\t| %d\t| %s\t| %.0f\t| %.0f\t", x.Records, x.Concurrency, x.kind(), x.DocumentsPerSecond, x.RecordsPerSecond)
		for _, s := range x.Steps {
			fmt.Fprintf(w, "| %.1f + %.1f\t", s.Wait, s.Work)
		}
		fmt.Fprintf(w, "| %.1f\t| %.1f\t|\n", x.Orchestrator, x.Run)
	}
	return w.Flush()
}
