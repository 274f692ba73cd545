package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"segue/document"
	"segue/events"
	"segue/journal"
	"segue/saga"
	"segue/saga/check"
)

// readApplied takes the definitions that were applied before this engine began, and
// returns the feed that brings those to come. Of each name the newest good one
// counts; what lies behind it is not looked at.
func (e *Engine) readApplied(ctx context.Context) (journal.Feed, error) {
	feed, before, err := e.follow(ctx, events.AllDefinitions)
	if err != nil {
		return nil, fmt.Errorf("follow definitions: %w", err)
	}
	taken := make(map[string]bool)
	for _, record := range slices.Backward(before) {
		if !taken[record.Subject] {
			taken[record.Subject] = e.adopt(ctx, record)
		}
	}
	return feed, nil
}

// follow returns what is stored below a root, and the feed that brings what is to come.
func (e *Engine) follow(ctx context.Context, filter string) (feed journal.Feed, before []journal.Record, err error) {
	feed, err = e.Journal.Follow(ctx, filter, 0)
	if err != nil {
		return nil, nil, err
	}
	for {
		record, err := feed.Next(ctx)
		switch {
		case err != nil:
			feed.Close()
			return nil, nil, err
		case record.Live:
			return feed, before, nil
		}
		before = append(before, record)
	}
}

// followApplied takes definitions as they are applied, until ctx is done.
func (e *Engine) followApplied(ctx context.Context, feed journal.Feed) error {
	defer feed.Close()
	for {
		record, err := feed.Next(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return fmt.Errorf("follow definitions: %w", err)
		}
		e.adopt(ctx, record)
	}
}

// adopt makes an applied definition the one of its name. Anyone may have published
// it: one that is refused is logged, and what there was stays.
func (e *Engine) adopt(ctx context.Context, record journal.Record) bool {
	var d *saga.Definition
	err := persist(ctx, e.Log, "reading an applied definition", func() error {
		var err error
		d, err = e.readDefinition(ctx, record.Message)
		var r *refusal
		if errors.As(err, &r) {
			e.Log.Warn("applied definition is refused", "subject", record.Subject, "sequence", record.Sequence, "reason", r.reason)
			return nil
		}
		return err
	})
	if err != nil || d == nil {
		return false
	}
	err = persist(ctx, e.Log, "storing an applied definition", func() error {
		if _, err := document.PutData(ctx, e.Data, d.Text); err != nil {
			return err
		}
		if e.DeclareQueues == nil {
			return nil
		}
		return e.DeclareQueues(ctx, saga.Services(d))
	})
	if err != nil {
		return false
	}
	e.catalogue.put(d)
	e.Log.Info("applied definition is taken", "saga", d.Name, "digest", d.Digest)
	return true
}

// refusal is the error for a definition or a schedule that can never be taken.
type refusal struct{ reason string }

func (r *refusal) Error() string { return r.reason }

// readData reads the data of an event that anyone may have published. Its error is a
// *refusal if waiting does not help.
func readData(ctx context.Context, store document.Store, e events.Event, into any) error {
	e, err := checkOut(ctx, store, e)
	if err != nil && !gone(err) {
		return err
	}
	if err == nil {
		err = events.ReadData(e, into)
	}
	if err != nil {
		return &refusal{err.Error()}
	}
	return nil
}

// readDefinition returns the definition in a message. Its error is a *refusal if
// the message holds none, or one that is not safe.
func (e *Engine) readDefinition(ctx context.Context, m events.Message) (*saga.Definition, error) {
	refuse := func(err error) (*saga.Definition, error) { return nil, &refusal{err.Error()} }
	subject, err := events.ParseSubject(m.Subject)
	if err != nil {
		return refuse(err)
	}
	event, err := events.Decode(m)
	if err != nil {
		return refuse(err)
	}
	if event.Type != events.TypeDefinitionApplied {
		return refuse(fmt.Errorf("type %s, want %s", event.Type, events.TypeDefinitionApplied))
	}
	var data events.DefinitionApplied
	if err := readData(ctx, e.Data, event, &data); err != nil {
		return nil, err
	}
	d, err := saga.Load(subject.Definition, data.Text, nil)
	switch {
	case err != nil:
		return refuse(err)
	case d.Name != subject.Definition:
		return refuse(fmt.Errorf("it is saga %s", d.Name))
	case d.Digest != data.Digest:
		return refuse(fmt.Errorf("its digest is %s, not %s", d.Digest, data.Digest))
	}
	if err := check.Definition(d).Err(); err != nil {
		return refuse(err)
	}
	return d, nil
}
