package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"segue/participant"
)

// source is a document on its way: a chain of readers
//
//	network, file or object -> body -> stage for each content coding -> UTF-8 -> the store
//
// with what they have in common.
type source struct {
	io.Reader // the end of the chain
	*transfer
	label      label
	validators Validators
	// notModified says that the origin sends nothing, as nothing has changed.
	notModified bool
	close       func()
}

// transfer is what the readers of one source share. They run in one goroutine.
type transfer struct {
	ctx context.Context // the fetch
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
	var told *participant.Error
	var idle idleError
	switch {
	case errors.As(err, &told):
		return t.fail(err)
	case t.ctx.Err() != nil:
		return t.fail(t.at.wrap(context.Cause(t.ctx)))
	case errors.As(err, &idle):
		return t.fail(retryable(t.at, CodeTimeout, fmt.Errorf("%w after %d bytes", err, t.received)))
	}
	return t.fail(retryable(t.at, CodeBrokenBody, fmt.Errorf("the body breaks off after %d bytes: %w", t.received, clip(err))))
}

func (t *transfer) tooLarge() error {
	return t.fail(permanent(t.at, CodeTooLarge, over(limitDocument, fmt.Errorf("the document is over %d bytes; raise --max-document", t.max))))
}

// body reads what the origin gives, with a limit on its size.
type body struct {
	*transfer
	r io.Reader
}

func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.r.Read(p)
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

// patient is a reader with a limit on the time without a byte.
type patient struct {
	ctx   context.Context // of r
	r     io.Reader
	idle  time.Duration
	timer *time.Timer // ends ctx; runs only inside Read
}

// newPatient makes a patient reader of one that ends with ctx, which cancel ends.
func newPatient(ctx context.Context, r io.Reader, idle time.Duration, cancel context.CancelCauseFunc) *patient {
	timer := time.AfterFunc(idle, func() { cancel(idleError{idle}) })
	timer.Stop()
	return &patient{ctx: ctx, r: r, idle: idle, timer: timer}
}

func (p *patient) Read(b []byte) (int, error) {
	// The clock stands still while the store is writing: a slow store is not a
	// slow server.
	p.timer.Reset(p.idle)
	n, err := p.r.Read(b)
	p.timer.Stop()
	if idle := (idleError{}); err != nil && err != io.EOF && errors.As(context.Cause(p.ctx), &idle) {
		err = over(limitIdle, idle)
	}
	return n, err
}
