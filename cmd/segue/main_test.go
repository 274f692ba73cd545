package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"segue": func() { os.Exit(run(context.Background(), os.Args[1:])) },
	})
}

// TestScript runs the scripts in testdata/script, each in a folder of its own
// with the examples in it. Beside testscript's commands there are:
//
//	segue ARGS            the command itself; "! segue" wants status 1 or 2
//	status N segue ARGS   wants the exit status N
//	json [FILE]           wants every line of stdout, or of FILE, to be one JSON object
//	capture NAME          sets the variable NAME to stdout without its line end
func TestScript(t *testing.T) {
	t.Parallel()
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
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
		},
	})
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
