package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"segue/daemon"
	"segue/document"
	"segue/events"
)

type startCommand struct {
	Saga        string `arg:"" help:"Name of the saga, such as ingest."`
	Input       string `arg:"" optional:"" default:"{}" help:"Input as JSON; @FILE reads it from a file, - from standard input."`
	ID          string `help:"Id of the start event. The same source and id is the same run, however often it is sent." placeholder:"ID"`
	Source      string `help:"Source of the start event." default:"/segue/client" placeholder:"URI"`
	Correlation string `help:"Correlation id that every message of the run carries. Defaults to the run id." placeholder:"ID"`
	Wait        bool   `help:"Wait until the run ends; exit status 0 only if it completed."`
}

// Help teaches the rest.
func (startCommand) Help() string {
	return `Examples:
  segue start ingest '{"url":"https://example.org/todos.json"}'
  segue start ingest @input.json --id order-4711 --wait

The same with the nats CLI:
  nats pub saga.start.ingest '{"url":"https://example.org/todos.json"}'`
}

func (c *startCommand) Run(ctx context.Context, g *globals) error {
	input, err := readInput(c.Input)
	if err != nil {
		return err
	}
	sys, err := attach(ctx, g)
	if err != nil {
		return err
	}
	defer sys.Close()
	if sys.local() && c.Wait {
		return errors.New("nothing runs on this data directory, so the run would never end: start segue up first, or name a broker")
	}
	s := start{name: c.Saga, event: events.Event{
		ID: c.ID, Source: c.Source, CorrelationID: c.Correlation, Data: input,
	}}
	info, err := sys.Journal.Info(ctx)
	if err != nil {
		return err
	}
	if err := publish(ctx, sys.Bus, c.Saga, &s); err != nil {
		return err
	}
	if c.Wait {
		return await(ctx, g, sys.Bus, info.Last, []start{s}, os.Stdout)
	}
	if sys.local() {
		sayAsleep(os.Stderr)
	}
	return sayStarted(g, s)
}

// readInput returns the input that an argument says: JSON, or where it is.
func readInput(argument string) (json.RawMessage, error) {
	text := []byte(argument)
	var err error
	switch file, isFile := strings.CutPrefix(argument, "@"); {
	case argument == "-":
		text, err = io.ReadAll(io.LimitReader(os.Stdin, document.DataLimit+1))
	case isFile:
		text, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, fmt.Errorf("read input: %w", err)
	}
	if !json.Valid(text) {
		return nil, fmt.Errorf("the input is not JSON: %s", clip(oneLine(string(text)), 60))
	}
	return text, nil
}

// start is a start event and the name under which its run is shown.
type start struct {
	name  string
	event events.Event
}

func (s start) run() string { return events.RunID(s.event.Source, s.event.ID) }

// publish sends a start event; it fills in what the event lacks.
func publish(ctx context.Context, bus *daemon.Bus, saga string, s *start) error {
	subject := events.StartSubject(saga)
	if err := subject.Validate(); err != nil {
		return fmt.Errorf("start saga %q: %w", saga, err)
	}
	if s.event.ID == "" {
		s.event.ID = events.NewStartID()
	}
	s.event.Type = events.TypeRunRequested
	s.event.DataContentType = events.JSON
	s.event.Time = time.Now().UTC()
	event, err := document.CheckIn(ctx, bus.Data, s.event)
	if err != nil {
		return fmt.Errorf("start saga %s: %w", saga, err)
	}
	m := events.Encode(subject.String(), event)
	m.Header.Set(events.HeaderMsgID, s.run())
	if err := bus.Journal.Append(ctx, m); err != nil {
		return fmt.Errorf("start saga %s: %w", saga, err)
	}
	return nil
}

func sayStarted(g *globals, s start) error {
	if g.JSON {
		return json.NewEncoder(os.Stdout).Encode(map[string]string{"run": s.run(), "id": s.event.ID, "source": s.event.Source})
	}
	fmt.Println(s.run())
	return nil
}
