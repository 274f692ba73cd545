package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// source is a document on its way: a chain of readers
//
//	network or file -> body -> stage for each content coding -> the store
//
// with what they have in common.
type source struct {
	io.Reader // the end of the chain
	*transfer
	// declared is the media type that the origin declares or the name of the
	// document has; "" if neither tells.
	declared string
	close    func()
}

// transfer is what the readers of one source share. They run in one goroutine.
type transfer struct {
	ctx context.Context // the fetch; its cause is an idleError if the body stood still
	at  place
	// max is the limit for the bytes of each reader, ratio that for the bytes out
	// of a stage to those received.
	max, ratio int64
	// received counts the bytes of the body as they came.
	received int64
	// ended is when the last of them came.
	ended time.Time
	// err is the first failure of any reader. Those after it are its echoes: a
	// decoder, say, that reports a cut stream where the connection broke.
	err error
}

// fail keeps an error if it is the first, and returns the first.
func (t *transfer) fail(err error) error {
	if t.err == nil {
		t.err = err
	}
	return t.err
}

// broken fails because the body cannot be read on.
func (t *transfer) broken(err error) error {
	var idle idleError
	cause := context.Cause(t.ctx)
	switch {
	case errors.As(cause, &idle):
		return t.fail(retryable(t.at, CodeTimeout, fmt.Errorf("%w after %d bytes", idle, t.received)))
	case cause != nil:
		return t.fail(t.at.wrap(cause))
	}
	return t.fail(retryable(t.at, CodeBrokenBody, fmt.Errorf("the body breaks off after %d bytes: %w", t.received, clip(err))))
}

func (t *transfer) tooLarge() error {
	return t.fail(permanent(t.at, CodeTooLarge, fmt.Errorf("the document is over %d bytes; raise --max-document", t.max)))
}

// body reads what the network or a file gives, with a limit on its size and on
// the time without a byte.
type body struct {
	*transfer
	r     io.Reader
	idle  time.Duration
	timer *time.Timer // cancels the transfer's context; runs only inside Read
}

// newBody makes a body. On an idle timeout it calls cancel.
func newBody(t *transfer, r io.Reader, idle time.Duration, cancel context.CancelCauseFunc) *body {
	timer := time.AfterFunc(idle, func() { cancel(idleError{idle}) })
	timer.Stop()
	return &body{transfer: t, r: r, idle: idle, timer: timer}
}

func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	// The clock stands still while the store is writing: a slow store is not a
	// slow server.
	b.timer.Reset(b.idle)
	n, err := b.r.Read(p)
	b.timer.Stop()
	b.received += int64(n)
	switch {
	case b.received > b.max:
		return 0, b.tooLarge()
	case err != nil && err != io.EOF:
		return n, b.broken(err)
	case err == io.EOF && b.ended.IsZero():
		b.ended = time.Now()
	}
	return n, err
}
