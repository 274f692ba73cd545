package jetstream

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"segue/events"
)

// LastArchived returns the sequence of what was kept last in the history; 0 if
// there is nothing. It is where reading the history from its end begins.
func (j *Journal) LastArchived(ctx context.Context) (uint64, error) {
	var last uint64
	err := j.during(ctx, func(ctx context.Context) error {
		s, err := j.stream(ctx, HistoryStream)
		if errors.Is(err, ErrNoJournal) {
			return nil // an older release keeps no history
		}
		if err == nil {
			last = s.CachedInfo().State.LastSeq
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("read the end of the history: %w", err)
	}
	return last, nil
}

// Withdraw takes a rejection out of the list, so that the start may be rejected
// anew. One that is not there is no error.
func (j *Journal) Withdraw(ctx context.Context, rejection events.Subject) error {
	if rejection.Kind != events.KindRejected {
		return fmt.Errorf("withdraw %s: it is no rejection", rejection)
	}
	if err := rejection.Validate(); err != nil { // a wildcard would take others with it
		return fmt.Errorf("withdraw rejection: %w", err)
	}
	err := j.during(ctx, func(ctx context.Context) error {
		s, err := j.stream(ctx, RejectedStream)
		if err != nil {
			return err
		}
		return s.Purge(ctx, jetstream.WithPurgeSubject(rejection.String()))
	})
	if err != nil {
		return fmt.Errorf("withdraw rejection %s: %w", rejection.Start, err)
	}
	return nil
}
