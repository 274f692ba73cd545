package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

const (
	// testLimit is how long the tests of a mutant may take once they are built. A
	// mutant that makes a test wait for ever is found by it.
	testLimit = 60 * time.Second
	// runLimit ends what does not end by testLimit, a build among it.
	runLimit = 5 * time.Minute
	// stopLimit is how long a run that was told to stop may take for it.
	stopLimit = 5 * time.Second
	// maxOutput is how much is kept of what a run prints, from its end.
	maxOutput = 8 << 10
)

// verdict is what a run of go test came to.
type verdict struct {
	unbuilt bool     // it did not compile
	failed  string   // the test that failed first; the package's name if none is to blame
	hung    bool     // by running into testLimit
	tests   int      // how many ran
	skipped []string // tests that were skipped
	output  string   // the last of it
}

// goTest runs tests, until one fails, with what an overlay puts in the place of
// files; "" for none. Its error says that nothing was learned.
func goTest(ctx context.Context, overlay string, t Test) (verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, runLimit)
	defer cancel()
	args := []string{"test", "-json", "-count=1", "-vet=off", "-failfast", "-timeout=" + testLimit.String(), "-run", t.Run}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, t.Package)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = stopLimit
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && (!errors.As(err, &exit) || ctx.Err() != nil) {
		return verdict{}, fmt.Errorf("run go test %s: %w", t.Package, errors.Join(context.Cause(ctx), err))
	}
	v, readErr := readVerdict(&out)
	switch {
	case readErr != nil:
		return v, fmt.Errorf("read what go test says: %w", readErr)
	case err != nil && v.failed == "" && !v.unbuilt:
		return v, fmt.Errorf("run go test %s: %w: %s", t.Package, err, stderr.String())
	case err == nil && v.failed != "":
		return v, fmt.Errorf("run go test %s: status 0, and %s failed", t.Package, v.failed)
	}
	return v, nil
}

// testEvent is a line of go test -json; see go doc test2json.
type testEvent struct {
	Action, Package, Test, Output string
	FailedBuild                   string
}

func readVerdict(lines io.Reader) (v verdict, err error) {
	running := make(map[string]bool)
	var order []string // of tests that began
	for in := json.NewDecoder(lines); ; {
		var e testEvent
		if err := in.Decode(&e); errors.Is(err, io.EOF) {
			return v, nil
		} else if err != nil {
			return v, err
		}
		switch e.Action {
		case "run":
			v.tests++
			running[e.Test] = true
			order = append(order, e.Test)
		case "pass":
			delete(running, e.Test)
		case "skip":
			delete(running, e.Test)
			v.skipped = append(v.skipped, e.Test)
		case "fail":
			v.unbuilt = v.unbuilt || e.FailedBuild != ""
			if v.failed == "" && !v.unbuilt {
				v.failed = e.Test
			}
			if v.failed == "" && !v.unbuilt { // the package's own, with no test before it
				v.failed = blamed(e.Package, order, running)
			}
		case "build-fail":
			v.unbuilt = true
		case "output", "build-output":
			v.hung = v.hung || v.failed == "" && strings.HasPrefix(e.Output, "panic: test timed out after")
			v.output += e.Output
			v.output = v.output[max(0, len(v.output)-maxOutput):]
		}
	}
}

// blamed returns the test that began last and has not ended: a process that died
// died of it. None may be left, when what fails is behind the tests.
func blamed(pkg string, order []string, running map[string]bool) string {
	for _, name := range slices.Backward(order) {
		if running[name] {
			return name
		}
	}
	return pkg
}
