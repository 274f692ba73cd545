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

func (l lonely) Members(ctx context.Context, _ string) (<-chan []string, error) {
	ids := make(chan []string, 1)
	ids <- []string{l.id}
	context.AfterFunc(ctx, func() { close(ids) })
	return ids, nil
}
