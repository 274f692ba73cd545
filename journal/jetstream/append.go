package jetstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"segue/events"
	"segue/journal"
)

const (
	// AppendPatience is how long Append goes on trying if its context has no
	// deadline.
	AppendPatience = 30 * time.Second
	// ownHeaders is room for the headers that are added here, in bytes.
	ownHeaders = 256
)

// ownHeaderNames are the headers that are added here. The server stores them;
// readers do not see them.
var ownHeaderNames = append(slices.Clone(batchHeaderNames), jetstream.ExpectedLastSubjSeqHeader)

// Append stores messages as [journal.Journal] says. Those of runs and of the history
// go by a committer, which puts them into atomic batches where that pays.
//
// A request without an answer is made again until ctx is done, or for
// [AppendPatience]. The second try of a message that was stored at the first
// finds its subject taken, which is a success.
func (j *Journal) Append(ctx context.Context, messages ...events.Message) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("append: %w", ctx.Err())
	case j.ctx.Err() != nil: // an answer might still be faster than the end
		return context.Cause(j.ctx)
	}
	runs := make([]*nats.Msg, 0, len(messages))
	var past, others []*nats.Msg
	for _, m := range messages {
		root, msg, err := j.prepare(m)
		if err != nil {
			return fmt.Errorf("append %s: %w", m.Subject, err)
		}
		switch root.stream {
		case RunsStream:
			runs = append(runs, msg)
		case HistoryStream:
			past = append(past, msg)
		default:
			others = append(others, msg)
		}
	}
	if _, has := ctx.Deadline(); !has {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, AppendPatience)
		defer cancel()
	}
	return j.reason(errors.Join(
		j.persist(ctx, runs, j.runs.store),
		j.persist(ctx, past, j.past.store),
		j.persist(ctx, others, j.sent.publish)))
}

// prepare makes a message for the client, in the memory of the caller as far as
// nothing has to be changed in it.
func (j *Journal) prepare(m events.Message) (root, *nats.Msg, error) {
	root, known := rootOf(m.Subject)
	if !known {
		return root, nil, fmt.Errorf("no stream keeps subject %q: %w", m.Subject, events.ErrSubject)
	}
	msg := &nats.Msg{Subject: m.Subject, Header: nats.Header(m.Header), Data: m.Data}
	if root.asks || conditional(m.Header) {
		msg.Header = make(nats.Header, len(m.Header)+len(ownHeaderNames))
		for name, values := range m.Header {
			if !strings.HasPrefix(name, conditions) {
				msg.Header[name] = values
			}
		}
	}
	if root.asks {
		msg.Header.Set(jetstream.ExpectedLastSubjSeqHeader, empty)
	}
	if limit := j.nc.MaxPayload(); limit > 0 && payload(msg)+ownHeaders > limit {
		return root, nil, fmt.Errorf("%w: %d bytes with its headers, the broker takes %d", journal.ErrTooLarge, payload(msg), limit-ownHeaders)
	}
	return root, msg, nil
}

// empty is the sequence that a message expects on its subject so that the server
// refuses it unless there is none.
const empty = "0"

// conditional says that a header has conditions.
func conditional(h events.Header) bool {
	for name := range h {
		if strings.HasPrefix(name, conditions) {
			return true
		}
	}
	return false
}

// conditions begin the names of headers with which a message says when the server
// is to refuse it. Those of a stranger's message, which may be stored again as a
// start, do not count: a refusal is taken for "it is there already".
const conditions = "Nats-Expected-"

// payload is the size of a message as the broker's max_payload counts it: data
// and headers, the latter as on the wire.
func payload(m *nats.Msg) int64 {
	n := len("NATS/1.0\r\n\r\n") + len(m.Data)
	for name, values := range m.Header {
		for _, v := range values {
			n += len(name) + len(": \r\n") + len(v)
		}
	}
	return int64(n)
}

// persist tries until every message is stored.
func (j *Journal) persist(ctx context.Context, messages []*nats.Msg, try func(context.Context, []*nats.Msg) []error) error {
	for pause := (backoff{}); len(messages) > 0; {
		count := len(messages)
		var err error
		if messages, err = missing(messages, try(ctx, messages)); err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("append %d of %d messages: %w (%w)", len(messages), count, ctx.Err(), err)
		}
		if j.ctx.Err() != nil || !passing(err) {
			return fmt.Errorf("append %s: %w", messages[0].Subject, err)
		}
		j.opts.Log.Warn("append is tried again", "messages", len(messages), "subject", messages[0].Subject, "error", err)
		both, cancel := j.join(ctx)
		_ = pause.sleep(both) // its end is found by the next try
		cancel()
	}
	return nil
}

// missing returns the messages that are not stored, in order, the one whose
// error is returned first. An error that no further try can mend comes before
// one of the moment.
func missing(messages []*nats.Msg, errs []error) (left []*nats.Msg, err error) {
	for i, e := range errs {
		if e == nil {
			continue
		}
		if err == nil || passing(err) && !passing(e) {
			err = e
		}
		left = append(left, messages[i])
	}
	return left, err
}
