package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"segue/broker"
	"segue/daemon"
	"segue/journal/jetstream"
)

type doctorCommand struct {
	Quiet bool `help:"Only what is wrong." short:"q"`
}

// Help teaches the rest.
func (doctorCommand) Help() string {
	return `Looks at the broker, the streams, the queues, the orchestrators, the clock, the
permissions of the present user, and at the runs: what stands still, is stuck or
late. It changes nothing. A line says what was found; where something is wrong the
next line says what to do. Exit status 1 if something is wrong.`
}

func (c *doctorCommand) Run(ctx context.Context, g *globals) error {
	found, err := c.examine(ctx, g)
	if err != nil {
		return err
	}
	bad := 0
	for _, f := range found {
		if f.Severity.Bad() {
			bad++
		}
	}
	if c.Quiet {
		found = onlyBad(found)
	}
	if g.JSON {
		err = writeJSON(os.Stdout, found)
	} else {
		err = sayFindings(os.Stdout, found, bad)
	}
	if err == nil && bad > 0 {
		return errNotCompleted
	}
	return err
}

// examine looks at the broker that was named, else at the one that runs on the
// data directory, else at what is in the directory.
func (c *doctorCommand) examine(ctx context.Context, g *globals) ([]jetstream.Finding, error) {
	embedded := false
	if g.Server == "" {
		server, err := asleep(g)
		if server != nil {
			defer server.Shutdown()
			found, bus, err := daemon.ExamineEmbedded(ctx, server, jetstream.Examination{})
			return withRuns(ctx, found, bus, true, err)
		}
		if g.Server, err = runningURL(g, err); err != nil {
			return nil, err
		}
		embedded = true
	}
	found, bus, err := daemon.Examine(ctx, g.Connection, jetstream.Examination{Embedded: embedded})
	return withRuns(ctx, found, bus, false, err)
}

// asleep starts a broker on the data directory, if there is one on which none
// runs, and declares nothing on it.
func asleep(g *globals) (*broker.Server, error) {
	dir := filepath.Join(g.DataDir, "nats")
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("nothing to look at: %w; segue up or segue ingest makes it, --server names a broker", err)
	}
	return broker.Start(broker.Config{Dir: dir, Log: g.Logger(os.Stderr, slog.LevelError)})
}

// withRuns looks at the runs, too, if they can be read.
func withRuns(ctx context.Context, found jetstream.Examined, bus *daemon.Bus, asleep bool, err error) ([]jetstream.Finding, error) {
	if bus == nil || err != nil {
		return found.Findings, err
	}
	defer bus.Close()
	d := &doctor{bus: bus, t: newTracker(bus), broker: found, findings: found.Findings, asleep: asleep}
	if err := d.look(ctx); err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		d.add(jetstream.Warning, "runs", "look as a user who may, or at the broker's log", "they could not be looked at: %v", err)
	}
	return d.findings, nil
}

func onlyBad(found []jetstream.Finding) []jetstream.Finding {
	var bad []jetstream.Finding
	for _, f := range found {
		if f.Severity.Bad() {
			bad = append(bad, f)
		}
	}
	return bad
}

// sayFindings writes a line for each finding, and what to do below those that are wrong.
func sayFindings(w io.Writer, found []jetstream.Finding, bad int) error {
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintf(&b, "%-7s  %s: %s\n", f.Severity, f.Subject, oneLine(f.What))
		if f.Do != "" {
			fmt.Fprintf(&b, "%-7s  → %s\n", "", oneLine(f.Do))
		}
	}
	switch bad {
	case 0:
		fmt.Fprintln(&b, "nothing is wrong")
	case 1:
		fmt.Fprintln(&b, "1 thing is wrong")
	default:
		fmt.Fprintf(&b, "%d things are wrong\n", bad)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
