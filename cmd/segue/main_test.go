package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"segue/broker"
	"segue/daemon"
	"segue/events"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"segue": main,
	})
}

// TestScript runs the scripts in testdata/script, each in a folder of its own
// with the examples in it. Beside testscript's commands there are:
//
//	segue ARGS            the command itself; "! segue" wants status 1 or 2
//	status N segue ARGS   wants the exit status N
//	json [FILE]           wants every line of stdout, or of FILE, to be one JSON object
//	capture NAME          sets the variable NAME to stdout without its line end
//	purge RUN             takes a run out of the journal of segue up, once it is in the
//	                      history, as the orchestrator does after --keep-age
//	hold                  holds the data directory, as a command does, for a second
//	until STATUS RUN      waits until a run has a status, or until "up" there is a broker
//
// With -short only those of the job itself are run.
func TestScript(t *testing.T) {
	t.Parallel()
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	params := testscript.Params{
		Dir:                "testdata/script",
		RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("EXAMPLES", examples)
			return os.CopyFS(filepath.Join(env.WorkDir, "examples"), os.DirFS(examples))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status":  status,
			"json":    lines,
			"capture": capture,
			"purge":   purge,
			"hold":    hold,
			"until":   until,
		},
	}
	if testing.Short() {
		t.Log("MOST SCRIPTS WERE NOT RUN: run without -short")
		params.Dir, params.Files = "", []string{"testdata/script/ingest.txtar", "testdata/script/up.txtar"}
	}
	testscript.Run(t, params)
}

func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N command [args]")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("exit status %s, want %s", got, args[0])
	}
}

func lines(ts *testscript.TestScript, neg bool, args []string) {
	name := "stdout"
	if len(args) > 0 {
		name = args[0]
	}
	text := ts.ReadFile(name)
	if strings.TrimSpace(text) == "" {
		ts.Fatalf("%s is empty", name)
	}
	for line := range strings.Lines(text) {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); (err != nil) != neg {
			ts.Fatalf("a JSON object a line: %v: %s", err, line)
		}
	}
}

func capture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: capture NAME")
	}
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
}

func purge(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: purge RUN")
	}
	ctx, cancel := context.WithTimeout(context.Background(), untilTimeout)
	defer cancel()
	url := strings.TrimSpace(ts.ReadFile(filepath.Join(ts.Getenv("SEGUE_DATA_DIR"), urlFile)))
	bus, err := daemon.Connect(ctx, daemon.Connection{Server: url}, slog.New(slog.DiscardHandler), daemon.BusOptions{})
	ts.Check(err)
	defer bus.Close()
	kept, err := bus.Journal.Follow(ctx, events.HistoryFilter(args[0]), 0)
	ts.Check(err)
	defer kept.Close()
	for {
		record, err := kept.Next(ctx)
		ts.Check(err)
		if !record.Live {
			break
		}
	}
	ts.Check(bus.Journal.Purge(ctx, args[0]))
}

func hold(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: hold")
	}
	server, err := broker.Start(broker.Config{Dir: filepath.Join(ts.MkAbs(ts.Getenv("SEGUE_DATA_DIR")), "nats")})
	ts.Check(err)
	timer := time.AfterFunc(time.Second, server.Shutdown)
	ts.Defer(func() {
		if timer.Stop() {
			server.Shutdown()
		}
	})
}

// untilTimeout is how long until waits.
const untilTimeout = 30 * time.Second

func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 && len(args) != 2 {
		ts.Fatalf("usage: until up, or: until STATUS RUN")
	}
	for end := time.Now().Add(untilTimeout); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if len(args) == 1 {
			if _, err := os.Stat(filepath.Join(ts.MkAbs(ts.Getenv("SEGUE_DATA_DIR")), urlFile)); err == nil {
				return
			}
		} else if ts.Exec("segue", "show", "--json", args[1]) == nil && strings.Contains(ts.ReadFile("stdout"), `"status":"`+args[0]+`"`) {
			return
		}
	}
	ts.Fatalf("not %v within %v", args, untilTimeout)
}
