package engine_test

import (
	"context"
	"log/slog"

	"segue/document"
	"segue/journal"
)

// quiet is a logger that writes nothing.
var quiet = slog.New(slog.DiscardHandler)

// noStore is a store that must not be used.
type noStore struct{ document.Store }

// lonely is a journal whose user is told that nobody else is there.
type lonely struct {
	journal.Journal
	id string
}

func (l lonely) Members(ctx context.Context, _ string, _ func() []byte) (<-chan []journal.Member, error) {
	alone := make(chan []journal.Member, 1)
	alone <- []journal.Member{{ID: l.id}}
	context.AfterFunc(ctx, func() { close(alone) })
	return alone, nil
}
