package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"segue/bench"
	"segue/events"
	"segue/sagas"
)

type benchIngestCommand struct {
	Documents   int    `help:"How many documents are saved." default:"2000" placeholder:"N"`
	Records     int    `help:"Records in each, of about 100 bytes." default:"10" placeholder:"N"`
	Concurrency int    `help:"How many of them are on their way at a time." default:"64" placeholder:"N"`
	Database    string `help:"Where they are saved: sqlite:PATH or postgres://… . A SQLite file of its own if not given." placeholder:"URL"`
}

// Help teaches the rest.
func (benchIngestCommand) Help() string {
	return `Small JSON documents from a web server in this process through the four services, on a broker in this process that syncs always, with data in a folder of --data-dir that is removed afterwards. In a database that is named the rows stay, in a collection bench-… of their own.`
}

func (c *benchIngestCommand) Run(ctx context.Context, g *globals) error {
	report, err := c.measure(ctx, g)
	if err != nil {
		return err
	}
	if g.JSON {
		return json.NewEncoder(os.Stdout).Encode(report)
	}
	return report.print(os.Stdout)
}

func (c *benchIngestCommand) measure(ctx context.Context, g *globals) (*ingestReport, error) {
	if c.Documents < 1 || c.Records < 0 || c.Concurrency < 1 {
		return nil, fmt.Errorf("want at least one document, and one at a time")
	}
	dir, err := benchFolder(g)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // what is left behind is seen where it lies
	own := *g
	own.DataDir, own.Server = dir, ""
	origin, closed, err := bench.Origin(c.Records)
	if err != nil {
		return nil, err
	}
	defer closed()
	b := ingestBench{command: c, origin: origin, metrics: prometheus.NewRegistry(), collection: "bench-" + events.NewStartID()}
	return b.run(ctx, &own)
}

// ingestBench sends documents through the four services and waits for the ends.
type ingestBench struct {
	command *benchIngestCommand
	origin  string
	metrics *prometheus.Registry
	ends    *bench.Ends
	// collection is a new one: what is in a database already would not be saved again.
	collection string
}

func (b *ingestBench) run(ctx context.Context, g *globals) (*ingestReport, error) {
	definitions, err := sagas.All()
	if err != nil {
		return nil, err
	}
	sys, err := embed(ctx, g, "", definitions)
	if err != nil {
		return nil, err
	}
	defer sys.Close()
	g.Level = "error"
	flags := &serviceFlags{Database: b.command.Database}
	flags.AllowNets = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	flags.PerHost = -1
	if ctx, err = sys.work(ctx, g, engineFlags{}, flags, b.metrics, definitions); err != nil {
		return nil, err
	}
	nc, err := sys.server.Connect()
	if err != nil {
		return nil, fmt.Errorf("hear of ends: %w", err)
	}
	defer nc.Close()
	if b.ends, err = bench.Hear(nc); err != nil {
		return nil, err
	}
	begin := time.Now()
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(b.command.Concurrency)
	for i := range b.command.Documents {
		group.Go(func() error { return b.ingest(working, sys, i) })
	}
	if err := group.Wait(); err != nil {
		if failed := sys.failure(); failed != nil {
			err = failed
		}
		return nil, err
	}
	return b.report(sys.database, time.Since(begin))
}

// ingest saves one document.
func (b *ingestBench) ingest(ctx context.Context, sys *system, number int) error {
	s := start{event: events.Event{ID: events.NewStartID(), Source: events.Client, Data: events.MarshalData(map[string]any{
		"url": fmt.Sprintf("%s/%d.json", b.origin, number), "collection": b.collection, "key": "/id",
	})}}
	end := b.ends.Of(s.run())
	if err := publish(ctx, sys.Bus, "ingest", &s); err != nil {
		return err
	}
	select {
	case how := <-end:
		if how != events.TypeRunCompleted {
			return fmt.Errorf("document %d was not saved: run %s ended with %s", number, s.run(), how)
		}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// ingestReport is what is printed. Times are means, in milliseconds.
type ingestReport struct {
	DocumentsPerSecond float64      `json:"documents_per_second"`
	RecordsPerSecond   float64      `json:"records_per_second"`
	Documents          int          `json:"documents"`
	Records            int          `json:"records"`
	Concurrency        int          `json:"concurrency"`
	Database           string       `json:"database"`
	Run                float64      `json:"run_ms"`
	Orchestrator       float64      `json:"orchestrator_ms"`
	Steps              []ingestStep `json:"steps"`
	machine
}

// ingestStep is where the time of a step goes.
type ingestStep struct {
	Step string  `json:"step"`
	Wait float64 `json:"wait_ms"` // from the command being stored to a worker taking it up
	Work float64 `json:"work_ms"` // from there to the outcome being stored
}

func (b *ingestBench) report(database string, took time.Duration) (*ingestReport, error) {
	families, err := b.metrics.Gather()
	if err != nil {
		return nil, fmt.Errorf("gather metrics: %w", err)
	}
	means := make(map[string]float64) // by metric and the step or service in its labels
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := family.GetName()
			for _, label := range m.GetLabel() {
				if n := label.GetName(); n == "step" || n == "service" {
					name += " " + label.GetValue()
				}
			}
			if h := m.GetHistogram(); h.GetSampleCount() > 0 {
				means[name] = h.GetSampleSum() / float64(h.GetSampleCount()) * 1000
			}
		}
	}
	c := b.command
	r := &ingestReport{
		DocumentsPerSecond: float64(c.Documents) / took.Seconds(), RecordsPerSecond: float64(c.Documents*c.Records) / took.Seconds(),
		Documents: c.Documents, Records: c.Records, Concurrency: c.Concurrency, Database: database,
		Run: means["segue_run_duration_seconds"], machine: thisMachine(),
	}
	r.Orchestrator = r.Run
	for _, step := range []struct{ name, service string }{{"fetch", "fetcher"}, {"validate", "validator"}, {"parse", "parser"}, {"save", "saver"}} {
		whole, work := means["segue_step_duration_seconds "+step.name], means["segue_attempt_duration_seconds "+step.service]
		r.Steps = append(r.Steps, ingestStep{step.name, whole - work, work})
		r.Orchestrator -= whole
	}
	return r, nil
}

// kind is that of the database.
func (r *ingestReport) kind() string {
	kind, _, _ := strings.Cut(r.Database, ":")
	return kind
}

func (r *ingestReport) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%d documents of %d records into %s, %d at a time, broker in process, sync always; %v\n\n",
		r.Documents, r.Records, r.kind(), r.Concurrency, r.machine)
	fmt.Fprintf(w, "%.0f documents/s\t%.0f records/s\n\n", r.DocumentsPerSecond, r.RecordsPerSecond)
	fmt.Fprintf(w, "step\twaits\tworks\n")
	for _, s := range r.Steps {
		fmt.Fprintf(w, "%s\t%.1f ms\t%.1f ms\n", s.Step, s.Wait, s.Work)
	}
	fmt.Fprintf(w, "between steps\t%.1f ms\t\n", r.Orchestrator)
	fmt.Fprintf(w, "a run\t%.1f ms\t\n", r.Run)
	return w.Flush()
}

// benchFolder makes a folder for what is measured in the data directory.
func benchFolder(g *globals) (string, error) {
	if err := os.MkdirAll(g.DataDir, 0o700); err != nil {
		return "", fmt.Errorf("make data directory: %w", err)
	}
	dir, err := os.MkdirTemp(g.DataDir, "bench-")
	if err != nil {
		return "", fmt.Errorf("make a folder for the broker: %w", err)
	}
	return dir, nil
}
