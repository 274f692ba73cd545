package jetstream

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"segue/journal"
)

// Error codes of the server that decide something here.
const (
	// codeStoreFailed carries the store's error as text, and only the text tells
	// a taken subject, where all is well, from a full stream, where nothing was
	// written. Taking the second for the first would lose messages.
	codeStoreFailed jetstream.ErrorCode = 10077
	taken                               = "maximum messages per subject exceeded"
	fullBytes                           = "maximum bytes exceeded"
	fullMessages                        = "maximum messages exceeded"

	codeWrongLast jetstream.ErrorCode = 10071                    // wrong last sequence: the subject was to be empty, and is taken
	lastIsNone                        = "wrong last sequence: 0" // but not by a message: the server could not read its store
	codeMovingOn  jetstream.ErrorCode = 10164                    // the same, but in a cluster the other message is still on its way
	codeSameMoves jetstream.ErrorCode = 10158                    // in a cluster: one with the same Nats-Msg-Id is still on its way

	codeAccountFull   jetstream.ErrorCode = 10002 // resource limits exceeded for account
	codeServerFull    jetstream.ErrorCode = 10023 // insufficient resources
	codeTooLarge      jetstream.ErrorCode = 10054 // message size exceeds maximum allowed
	codeUnavailable                       = 503
	codeTooMany                           = 429
	codeServerStopped jetstream.ErrorCode = 10008 // JetStream system temporarily unavailable
	codeNoPeers       jetstream.ErrorCode = 10005 // no suitable peers for placement: a cluster that has not met yet
)

// errOccupied says that the subject holds a message or, in a cluster, that one is on
// its way there. That one is lost if the leader is before a majority has it.
var errOccupied = errors.New("the subject is taken, or is about to be")

// verdict turns the outcome of a publish into the terms of package journal. It
// returns nil if the subject holds a message now.
func verdict(err error) error {
	if err == nil {
		return nil
	}
	api := new(jetstream.APIError)
	switch {
	case errors.Is(err, nats.ErrMaxPayload):
		return fmt.Errorf("%w: %w", journal.ErrTooLarge, err)
	case errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, nats.ErrConnectionDraining):
		return fmt.Errorf("%w: %w", journal.ErrClosed, err)
	case !errors.As(err, &api):
		return err
	case api.ErrorCode == codeStoreFailed && strings.Contains(api.Description, taken):
		return errOccupied
	case api.ErrorCode == codeWrongLast && api.Description != lastIsNone:
		return nil
	case api.ErrorCode == codeStoreFailed && (strings.Contains(api.Description, fullBytes) || strings.Contains(api.Description, fullMessages)),
		api.ErrorCode == codeAccountFull, api.ErrorCode == codeServerFull:
		return fmt.Errorf("%w: %w", journal.ErrFull, err)
	case api.ErrorCode == codeTooLarge:
		return fmt.Errorf("%w: %w", journal.ErrTooLarge, err)
	}
	return err
}

// passing says that an error is of the moment: whether the message was stored is
// unknown, and publishing it again will tell.
func passing(err error) bool {
	api := new(jetstream.APIError)
	switch {
	case errors.Is(err, journal.ErrFull) || errors.Is(err, journal.ErrTooLarge) || errors.Is(err, journal.ErrClosed):
		return false
	case errors.As(err, &api):
		return api.Code == codeUnavailable || api.Code == codeTooMany || api.ErrorCode == codeNoPeers ||
			api.ErrorCode == codeMovingOn || api.ErrorCode == codeSameMoves || api.ErrorCode == codeWrongLast
	}
	return errors.Is(err, context.DeadlineExceeded) || // of one request; the caller's own is checked apart
		errors.Is(err, errOccupied) ||
		errors.Is(err, nats.ErrTimeout) ||
		errors.Is(err, nats.ErrNoResponders) ||
		errors.Is(err, nats.ErrDisconnected) ||
		errors.Is(err, nats.ErrReconnectBufExceeded) ||
		errors.Is(err, jetstream.ErrNoStreamResponse) ||
		errors.Is(err, jetstream.ErrAsyncPublishTimeout) ||
		errors.Is(err, jetstream.ErrTooManyStalledMsgs)
}
