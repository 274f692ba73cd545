package jetstream

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

const (
	// minBatch is how many messages make an atomic batch worth its while. The server
	// stages each batch in files of its own, which takes as long as to store about
	// this many messages one by one.
	minBatch = 20
	// maxBatch is how many messages one atomic batch may hold (the server takes
	// 1,000). At 500 the time for the sync is small against that for the messages.
	maxBatch = 500
	// maxBatchBytes bounds what the server stages for one batch.
	maxBatchBytes = 8 << 20
	// maxQueued is how many calls of Append may wait for the committer before
	// further ones wait for room.
	maxQueued = 1024
)

// committer stores messages of one stream with one sync for many where that pays.
// There, while some are under way, what callers bring waits; then all of it goes
// together. So a lone message goes at once, and a busy journal makes large batches.
// Elsewhere each caller's messages go as they come.
type committer struct {
	j      *Journal
	queue  chan *submission
	costs  costs
	flying atomic.Int64 // messages that are being stored
}

// submission is what one caller brings. The committer owns it from the moment
// it is queued until done is closed.
type submission struct {
	ctx      context.Context
	messages []*nats.Msg
	errs     []error
	done     chan struct{}
}

func newCommitter(j *Journal) *committer {
	c := &committer{j: j, queue: make(chan *submission, maxQueued)}
	j.busy.Go(c.run)
	return c
}

// store tries once to store messages and returns the verdict on each.
func (c *committer) store(ctx context.Context, messages []*nats.Msg) []error {
	flying := int(c.flying.Add(int64(len(messages))))
	defer c.flying.Add(-int64(len(messages)))
	lone := flying == len(messages) && flying < minBatch
	if lone || !c.costs.gather(time.Now(), flying) {
		return c.j.sent.publish(ctx, messages)
	}
	return c.submit(ctx, messages)
}

// submit has the committer store messages. It is given copies: it writes headers of
// its own, and may still hold them when the caller has left and uses its memory for
// something else.
func (c *committer) submit(ctx context.Context, messages []*nats.Msg) []error {
	s := &submission{ctx: ctx, messages: make([]*nats.Msg, len(messages)), errs: make([]error, len(messages)), done: make(chan struct{})}
	for i, m := range messages {
		s.messages[i] = copied(m)
	}
	select {
	case c.queue <- s:
	case <-ctx.Done():
		return all(messages, ctx.Err())
	case <-c.j.ctx.Done():
		return all(messages, context.Cause(c.j.ctx))
	}
	select {
	case <-s.done:
		return s.errs
	case <-ctx.Done():
		return all(messages, ctx.Err())
	case <-c.j.ctx.Done():
		return all(messages, context.Cause(c.j.ctx))
	}
}

func copied(m *nats.Msg) *nats.Msg {
	c := &nats.Msg{Subject: m.Subject, Header: make(nats.Header, len(m.Header)+len(batchHeaderNames)), Data: bytes.Clone(m.Data)}
	values := make([]string, 0, len(m.Header)) // one allocation for those of all headers
	for name, v := range m.Header {
		begin := len(values)
		values = append(values, v...)
		c.Header[name] = values[begin:len(values):len(values)]
	}
	return c
}

func all(messages []*nats.Msg, err error) []error {
	errs := make([]error, len(messages))
	for i := range errs {
		errs[i] = err
	}
	return errs
}

func (c *committer) run() {
	for {
		select {
		case <-c.j.ctx.Done():
			return
		case first := <-c.queue:
			c.commit(c.gather(first))
		}
	}
}

// gather takes what waits, up to a batch.
func (c *committer) gather(first *submission) []*submission {
	batch, count := []*submission{first}, len(first.messages)
	for count < maxBatch {
		select {
		case s := <-c.queue:
			batch, count = append(batch, s), count+len(s.messages)
		default:
			return batch
		}
	}
	return batch
}

// commit stores the messages of submissions. Of several on one subject the first
// is sent alone and its verdict is that of all. That is more than thrift: of a
// batch with two messages on one subject the server (2.15.2) as a rule stores
// some, and gives no answer.
func (c *committer) commit(submissions []*submission) {
	verdicts := make(map[string]error)
	var unique []*nats.Msg
	for _, s := range submissions {
		if s.ctx.Err() != nil {
			continue
		}
		for _, m := range s.messages {
			if _, seen := verdicts[m.Subject]; !seen {
				verdicts[m.Subject] = nil
				unique = append(unique, m)
			}
		}
	}
	for len(unique) > 0 {
		n := fit(unique)
		for i, err := range c.storeBatch(unique[:n]) {
			verdicts[unique[i].Subject] = err
		}
		unique = unique[n:]
	}
	for _, s := range submissions {
		for i, m := range s.messages {
			s.errs[i] = verdicts[m.Subject]
		}
		if err := s.ctx.Err(); err != nil {
			s.errs = all(s.messages, err)
		}
		close(s.done)
	}
}

// fit returns how many of the messages, at least one, make a batch.
func fit(messages []*nats.Msg) int {
	var size int64
	for i, m := range messages {
		if size += payload(m); i > 0 && (i == maxBatch || size > maxBatchBytes) {
			return i
		}
	}
	return len(messages)
}

// storeBatch stores many messages in one atomic batch if that is the cheaper way and
// none of their subjects is taken, and one by one otherwise: the server refuses a
// batch whole, and does not tell for which message.
func (c *committer) storeBatch(messages []*nats.Msg) []error {
	if len(messages) < minBatch {
		return c.j.sent.publish(c.j.ctx, messages)
	}
	begin := time.Now()
	if c.costs.batches() {
		err := c.j.link.online(c.j.ctx, func(ctx context.Context) error {
			_, err := jetstreamext.PublishMsgBatch(ctx, c.j.js, messages, jetstreamext.BatchFlowControl{})
			return err
		})
		if err == nil {
			c.costs.took(true, len(messages), time.Since(begin))
			return all(messages, nil)
		}
		c.costs.took(true, len(messages), time.Hour) // for nothing
		for _, m := range messages {                 // what comes next may go alone
			m.Reply = ""
			for _, h := range batchHeaderNames {
				m.Header.Del(h)
			}
		}
		if api := new(jetstream.APIError); !errors.As(err, &api) {
			return all(messages, verdict(err)) // nobody is there to ask one by one
		}
		return c.j.sent.publish(c.j.ctx, messages)
	}
	errs := c.j.sent.publish(c.j.ctx, messages)
	if errors.Join(errs...) == nil {
		c.costs.took(false, len(messages), time.Since(begin))
	}
	return errs
}

// batchHeaderNames are the headers of a batch, which the server stores.
var batchHeaderNames = []string{
	jetstreamext.BatchIDHeader,
	jetstreamext.BatchSeqHeader,
	jetstreamext.BatchCommitHeader,
}
