// Command segue runs sagas on NATS JetStream.
//
// It is everything in one process (ingest, up) and the client of a running
// system (start, ls, show, watch, cancel, retry, rejected, doctor). See `segue --help`.
//
// Exit status: 0 if all went well and every run that was waited for completed;
// 1 if one did not, or something else failed; 2 for a wrong command line.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"segue/daemon"
)

const description = `Sagas on NATS JetStream: every run ends completed or undone.

Without --server or NATS_URL, a broker inside this process keeps its data in --data-dir; if "segue up" is running there, it is used.`

// commandLine is all that can be said to segue.
type commandLine struct {
	globals

	Ingest   ingestCommand   `cmd:"" help:"Fetch, validate, parse and save documents, and wait for the result."`
	Up       upCommand       `cmd:"" help:"Run broker, orchestrator and services in this process until stopped."`
	Start    startCommand    `cmd:"" help:"Publish a start event."`
	Ls       lsCommand       `cmd:"" help:"List runs, those that have left the journal as well."`
	Show     showCommand     `cmd:"" help:"Show one run: its steps, what they answered, why it turned back."`
	Watch    watchCommand    `cmd:"" help:"Show what happens as it happens."`
	Schedule scheduleCommand `cmd:"" help:"Start runs by the clock."`
	Cancel   cancelCommand   `cmd:"" help:"Turn a run back: what it did is undone."`
	Retry    retryCommand    `cmd:"" help:"Give a stuck run another round of attempts, or start a compensated one anew."`
	Rejected rejectedCommand `cmd:"" help:"List starts that were rejected, or publish them again."`
	Lineage  lineageCommand  `cmd:"" help:"Say which document, run and definition made a record."`
	Doctor   doctorCommand   `cmd:"" help:"Look at what runs, and say what is wrong and what to do."`
	Check    checkCommand    `cmd:"" help:"Check saga definitions: what is wrong with them, or what they do."`
	Apply    applyCommand    `cmd:"" help:"Check saga definitions and give them to a running system."`
	Schema   schemaCommand   `cmd:"" help:"Register schemas by name and version, list and show them."`
	Bench    benchCommand    `cmd:"" help:"Measure how many runs a second Segue moves here, and how many the broker alone would."`
	Keys     keysCommand     `cmd:"" help:"Make keys and permissions for the broker."`
}

// globals are the flags of every command.
type globals struct {
	daemon.Connection
	daemon.Logging
	DataDir string           `name:"data-dir" help:"Where broker and database keep their files." env:"SEGUE_DATA_DIR" default:".segue" type:"path" placeholder:"DIR"`
	JSON    bool             `name:"json" help:"Write JSON for programs: one object a line."`
	Version kong.VersionFlag `help:"Write the version and exit."`
}

// errNotCompleted makes the exit status 1 where everything has been said already.
var errNotCompleted = errors.New("not every run completed")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:]))
}

// run is main below the process: it parses, executes and returns the exit status.
func run(ctx context.Context, args []string) int {
	var c commandLine
	parser, err := kong.New(&c, daemon.Parser("segue", description)...)
	if err != nil {
		panic(err) // unreachable: the grammar above is fixed
	}
	selected, err := parser.Parse(args)
	if err != nil {
		daemon.Usage(os.Stderr, err)
		fmt.Fprintf(os.Stderr, "\nsegue: %v\n", err)
		return 2
	}
	defer daemon.Ballast()()
	selected.BindTo(ctx, (*context.Context)(nil))
	switch err := selected.Run(&c.globals); {
	case err == nil:
		return 0
	case errors.Is(err, errNotCompleted):
		return 1
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "segue: interrupted")
		return 1
	default:
		fmt.Fprintf(os.Stderr, "segue: %v\n", err)
		return 1
	}
}
