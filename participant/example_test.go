package participant_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"segue/document"
	"segue/events"
	"segue/journal"
	"segue/journal/memory"
	"segue/participant"
)

// Order is what the service is asked to pack.
type Order struct {
	Article string `json:"article"`
	Pieces  int    `json:"pieces"`
}

// Parcel is what it answers.
type Parcel struct {
	Label string `json:"label"`
}

// A service that packs parcels, on a journal in memory.
func ExampleRun() {
	packer := participant.New("packer",
		func(_ context.Context, c participant.Command[Order]) (Parcel, error) {
			if c.Input.Pieces < 1 {
				return Parcel{}, participant.Permanent("nothing", errors.New("there is nothing to pack"))
			}
			return Parcel{Label: fmt.Sprintf("%d x %s", c.Input.Pieces, c.Input.Article)}, nil
		},
		func(_ context.Context, u participant.Undo[Order, Parcel]) error {
			return nil // unpack it, if it was packed
		})

	broker := memory.New(memory.Config{})
	defer broker.Close()
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error)
	go func() {
		served <- participant.Run(ctx, participant.Config{
			Journal: broker, Data: document.NewMemory(document.DataBucket), Log: slog.New(slog.DiscardHandler),
		}, packer)
	}()

	// An orchestrator asks for a step; the answer is in the journal.
	subject := events.RunSubject(events.KindCommand, "run-1", journal.DefaultPartitions)
	subject.Service, subject.Step, subject.Attempt = "packer", "pack", events.Attempt{N: 1}
	command := events.Entry{Subject: subject, Event: events.Event{
		ID: "1", Source: events.Orchestrator, Type: events.TypeStepRequested, DataContentType: events.JSON,
		Data: []byte(`{"article":"apple","pieces":3}`),
	}}
	if err := broker.Append(ctx, command.Message()); err != nil {
		fmt.Println(err)
	}
	feed, err := broker.Follow(ctx, subject.With(events.KindOutcome).String(), 0)
	if err != nil {
		fmt.Println(err)
	}
	for {
		record, err := feed.Next(ctx)
		if entry, bad := record.Entry(); err == nil && bad == nil {
			fmt.Println(entry.Event.Type, string(entry.Event.Data))
			break
		}
	}
	stop()
	fmt.Println(<-served)
	// Output:
	// segue.step.completed.v1 {"label":"3 x apple"}
	// <nil>
}
