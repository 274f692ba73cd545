// Command actor is a participant that does what it is told, good or bad, and
// notes every time it was asked: a line "<run> <step> <attempt> <what>" in a file,
// appended before the work begins ("did", "undid") and after it ("done").
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"segue/daemon"
	"segue/document"
	"segue/participant"
)

type config struct {
	Effects string `help:"File that takes a line for every piece of work." required:"" type:"path" placeholder:"FILE"`
}

// part is what a step is asked to do.
type part struct {
	// Do is "ok", "sleep", "fail", "panic", "exit" or "big".
	Do string `json:"do"`
	// At is the step that does it; the others are ok.
	At string `json:"at"`
	// Milliseconds is how long "sleep" takes.
	Milliseconds int `json:"ms"`
}

// played is what a step answers.
type played struct {
	Words string `json:"words,omitempty"`
}

func main() {
	daemon.Main(daemon.Program[config]{Name: "actor", Description: "Does what it is told.", Work: work})
}

func work(ctx context.Context, env *daemon.Env, c config) error {
	file, err := os.OpenFile(c.Effects, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	a := &actor{file}
	return env.Serve(ctx, participant.New("actor", a.do, a.undo))
}

type actor struct{ effects *os.File }

// note is one write, so that lines of several actors do not mix.
func (a *actor) note(run, step string, attempt int, what string) error {
	_, err := fmt.Fprintf(a.effects, "%s %s %d %s\n", run, step, attempt, what)
	return err
}

func (a *actor) do(ctx context.Context, c participant.Command[part]) (played, error) {
	if err := a.note(c.Run, c.Step, c.Attempt, "did"); err != nil {
		return played{}, err
	}
	p := c.Input
	if p.At != c.Step {
		p.Do = "ok"
	}
	switch p.Do {
	case "sleep":
		select {
		case <-ctx.Done():
			return played{}, context.Cause(ctx)
		case <-time.After(time.Duration(p.Milliseconds) * time.Millisecond):
		}
	case "fail":
		return played{}, participant.Permanent("told", errors.New("told to fail"))
	case "panic":
		panic("told to panic")
	case "exit":
		os.Exit(9)
	case "big":
		return played{Words: strings.Repeat("words ", document.DataLimit/4)}, nil
	}
	return played{}, a.note(c.Run, c.Step, c.Attempt, "done")
}

func (a *actor) undo(_ context.Context, u participant.Undo[part, played]) error {
	return a.note(u.Run, u.Step, u.Attempt, "undid")
}
