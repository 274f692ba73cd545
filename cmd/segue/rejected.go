package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"segue/daemon"
	"segue/document"
	"segue/events"
	"segue/journal"
)

type rejectedCommand struct {
	Ls    rejectedLsCommand    `cmd:"" help:"List starts that could not become runs, with the reason."`
	Retry rejectedRetryCommand `cmd:"" help:"Publish rejected starts again, as they were."`
}

type rejectedLsCommand struct{}

func (c *rejectedLsCommand) Run(ctx context.Context, g *globals) error {
	sys, err := attach(ctx, g)
	if err != nil {
		return err
	}
	defer sys.Close()
	return listRejected(ctx, g, sys.Bus, os.Stdout)
}

type rejectedRetryCommand struct {
	IDs []string `arg:"" name:"id" optional:"" help:"Ids as segue rejected ls shows them."`
	All bool     `help:"All that were rejected."`
}

// Help teaches the rest.
func (rejectedRetryCommand) Help() string {
	return `First mend what made them be rejected: apply the saga that was missing, say. A start
that is published again makes the run that it would have made at first. One that
is rejected again is listed again, with the reason it has then.`
}

func (c *rejectedRetryCommand) Validate() error {
	if c.All == (len(c.IDs) > 0) {
		return fmt.Errorf("name the starts to publish again, or --all")
	}
	return nil
}

func (c *rejectedRetryCommand) Run(ctx context.Context, g *globals) error {
	sys, err := attach(ctx, g)
	if err != nil {
		return err
	}
	defer sys.Close()
	chosen := make(map[string]bool)
	for _, id := range c.IDs {
		chosen[id] = true
	}
	var starts []refused
	err = eachRejected(ctx, sys.Bus, func(r refused) error {
		if c.All || chosen[r.Start] {
			starts = append(starts, r)
			delete(chosen, r.Start)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range c.IDs {
		if chosen[id] {
			return fmt.Errorf("no start %s was rejected; segue rejected ls lists them", id)
		}
	}
	for _, r := range starts {
		if err := r.retry(ctx, sys.Bus); err != nil {
			return fmt.Errorf("publish rejected start %s again: %w", r.Start, err)
		}
		if err := r.say(g); err != nil {
			return err
		}
	}
	if len(starts) == 0 {
		fmt.Fprintln(os.Stderr, "no starts were rejected")
	} else if sys.local() {
		sayAsleep(os.Stderr)
	}
	return nil
}

// refused is a start that was rejected.
type refused struct {
	Start  string    `json:"start"`
	Saga   string    `json:"saga"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
	// Headers, Data and DataRef are the start message.
	Headers map[string][]string `json:"headers"`
	Data    []byte              `json:"data"`
	DataRef string              `json:"dataref"`

	entry   events.Entry
	subject string // of the start message
}

// eachRejected hands what is in the list of rejected starts to see, oldest first.
func eachRejected(ctx context.Context, bus *daemon.Bus, see func(refused) error) error {
	return each(ctx, bus.Journal, events.AllRejected, 0, func(record journal.Record) (bool, error) {
		r, err := readRefused(ctx, bus, record)
		if err != nil {
			return true, err
		}
		return false, see(r)
	})
}

func readRefused(ctx context.Context, bus *daemon.Bus, record journal.Record) (refused, error) {
	entry, err := bus.Open(ctx, record)
	if err != nil {
		return refused{}, err
	}
	var data events.StartRejected
	if err := events.ReadData(entry.Event, &data); err != nil {
		data.Reason = fmt.Sprintf("this rejection cannot be read: %v", err)
	}
	return refused{
		Start: entry.Subject.Start, Saga: entry.Subject.Definition, At: entry.Stored, Reason: data.Reason,
		Headers: data.Headers, Data: data.Data, DataRef: data.DataRef, entry: entry, subject: data.Subject,
	}, nil
}

func listRejected(ctx context.Context, g *globals, bus *daemon.Bus, w io.Writer) error {
	return eachRejected(ctx, bus, func(r refused) error {
		if g.JSON {
			return json.NewEncoder(w).Encode(r)
		}
		_, err := fmt.Fprintf(w, "%s  %s  %s\n    %s\n", r.At.UTC().Format(time.DateTime), r.Saga, r.Start, oneLine(r.Reason))
		return err
	})
}

// secondCopy marks a copy of a rejection whose retry is under way.
const secondCopy = "-retried"

// retry publishes the start again and takes the rejection out of the list. The
// rejection has to leave first, for its subject can be written once, and a second
// rejection is to find it free; a copy beside it keeps the start from getting
// lost in between. A copy that is left over after a crash is retried like any
// other: the start makes the same run.
func (r refused) retry(ctx context.Context, bus *daemon.Bus) error {
	message, err := r.message(ctx, bus)
	if err != nil {
		return err
	}
	kept := r.entry
	if !strings.HasSuffix(r.Start, secondCopy) {
		kept.Subject.Start += secondCopy
		if err := send(ctx, bus, kept); err != nil {
			return err
		}
		if err := bus.Journal.Withdraw(ctx, r.entry.Subject); err != nil {
			return err
		}
	}
	if err := bus.Journal.Append(ctx, message); err != nil {
		return err
	}
	return bus.Journal.Withdraw(ctx, kept.Subject)
}

// message returns the start message as it was, but for its Nats-Msg-Id: within
// two minutes of the first the broker would drop the second as a duplicate. Where
// that header is the id of the start, attributes of CloudEvents say it in its
// place.
func (r refused) message(ctx context.Context, bus *daemon.Bus) (events.Message, error) {
	m := events.Message{Subject: r.subject, Header: make(events.Header), Data: r.Data}
	for name, values := range r.Headers {
		m.Header[name] = values
	}
	if r.subject == "" {
		return m, fmt.Errorf("its message was not kept: %s", r.Reason)
	}
	if r.DataRef != "" {
		ref, err := document.ParseURI(r.DataRef)
		if err != nil {
			return m, err
		}
		if m.Data, err = document.ReadAll(ctx, bus.Data, ref); err != nil {
			return m, err
		}
	}
	event, err := events.DecodeStart(m)
	if err != nil {
		return m, nil // what cannot be read is passed on to the byte: it may be readable to another release
	}
	if _, err := events.Decode(m); err != nil { // bare JSON
		for name, values := range events.Encode(m.Subject, event).Header {
			m.Header[name] = values
		}
	}
	for name := range m.Header {
		if strings.EqualFold(name, events.HeaderMsgID) {
			delete(m.Header, name)
		}
	}
	m.Header.Set(events.HeaderMsgID, fmt.Sprintf("%s-%d", r.Start, r.entry.Sequence))
	return m, nil
}

// say tells which start was published again, and which run it makes if it fits.
func (r refused) say(g *globals) error {
	id := strings.TrimSuffix(r.Start, secondCopy)
	if g.JSON {
		return json.NewEncoder(os.Stdout).Encode(map[string]string{"start": id, "saga": r.Saga})
	}
	_, err := fmt.Printf("start %s of saga %s is published again\n", id, r.Saga)
	return err
}
