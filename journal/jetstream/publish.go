package jetstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// maxInFlight is how many messages of one call wait for their answers at a time.
const maxInFlight = 256

// publisher sends messages one by one and takes the broker's answers to them.
//
// The client library has a future for each message and reads each answer. Here the
// answers to one call are counted, and only a refusal is read: at thousands of
// messages a second that is a tenth of all work.
type publisher struct {
	j      *Journal
	prefix string // of the subjects of answers; a number follows
	inbox  *nats.Subscription

	mu      sync.Mutex
	next    uint64
	waiting map[uint64]place
}

// place is where an answer belongs.
type place struct {
	call  *sending
	index int
}

// sending is one call, guarded by the publisher's mutex.
type sending struct {
	errs []error
	left int
	done chan struct{} // closed when all answers are there
}

func newPublisher(j *Journal) (*publisher, error) {
	p := &publisher{j: j, prefix: j.nc.NewInbox() + ".", waiting: make(map[uint64]place)}
	var err error
	if p.inbox, err = j.nc.Subscribe(p.prefix+"*", p.answered); err != nil {
		return nil, fmt.Errorf("subscribe to the broker's answers: %w", err)
	}
	return p, nil
}

// close ends the taking of answers.
func (p *publisher) close() { _ = p.inbox.Unsubscribe() } // fails only when the connection is closed

// errUnanswered stands for the verdict on a message that there is no answer to.
var errUnanswered = errors.New("the broker has not answered")

// publish sends messages, in order, without waiting for one to be stored before the
// next is sent, and returns the verdict on each. Those whose subject is said to be
// occupied are sent once more with the condition that it is empty: to that the server
// says whether a message is there or only on its way.
func (p *publisher) publish(ctx context.Context, messages []*nats.Msg) []error {
	errs := p.sendAll(ctx, messages)
	var doubtful []int
	var asking []*nats.Msg
	for i, err := range errs {
		if errors.Is(err, errOccupied) {
			m := copied(messages[i])
			m.Header.Set(jetstream.ExpectedLastSubjSeqHeader, empty)
			doubtful, asking = append(doubtful, i), append(asking, m)
		}
	}
	for i, err := range p.sendAll(ctx, asking) {
		errs[doubtful[i]] = err
	}
	return errs
}

// sendAll sends messages, some at a time.
func (p *publisher) sendAll(ctx context.Context, messages []*nats.Msg) []error {
	errs := all(messages, errUnanswered)
	for begin := 0; begin < len(messages); begin += maxInFlight {
		end := min(begin+maxInFlight, len(messages))
		err := p.send(ctx, messages[begin:end], errs[begin:end])
		for i, verdict := range errs[begin:end] {
			if errors.Is(verdict, errUnanswered) {
				errs[begin+i] = err
			}
		}
	}
	return errs
}

// publishOne sends one message and waits for the verdict on it.
func (p *publisher) publishOne(ctx context.Context, m *nats.Msg) error {
	return p.publish(ctx, []*nats.Msg{m})[0]
}

// send publishes messages and waits for the answers, as long as the connection
// stands and at most for requestTimeout. What is stored by then, and what is not,
// stands in errs.
func (p *publisher) send(ctx context.Context, messages []*nats.Msg, errs []error) error {
	session, err := p.j.link.soon(ctx)
	if err != nil {
		return err
	}
	s := &sending{errs: errs, left: len(messages), done: make(chan struct{})}
	first := p.expect(s)
	for i, m := range messages {
		m.Reply = p.prefix + strconv.FormatUint(first+uint64(i), 36)
		err := p.j.nc.PublishMsg(m)
		m.Reply = ""
		if err != nil {
			p.settle(first+uint64(i), verdict(err))
		}
	}
	late := time.NewTimer(requestTimeout)
	defer late.Stop()
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-session.Done():
		err = nats.ErrDisconnected
	case <-p.j.ctx.Done():
		err = context.Cause(p.j.ctx)
	case <-late.C:
		err = nats.ErrTimeout
	}
	p.forget(first, len(messages))
	return err
}

// expect makes places for the answers to a call and returns the number of the first.
func (p *publisher) expect(s *sending) (first uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	first = p.next
	for i := range s.errs {
		p.waiting[first+uint64(i)] = place{s, i}
	}
	p.next += uint64(len(s.errs))
	return first
}

// forget lets an answer that comes from now on find no place.
func (p *publisher) forget(first uint64, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range uint64(n) {
		delete(p.waiting, first+i)
	}
}

// settle enters a verdict, the first one for each number.
func (p *publisher) settle(number uint64, verdict error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, found := p.waiting[number]
	if !found {
		return
	}
	delete(p.waiting, number)
	at.call.errs[at.index] = verdict
	if at.call.left--; at.call.left == 0 {
		close(at.call.done)
	}
}

// answered takes an answer of the broker.
func (p *publisher) answered(m *nats.Msg) {
	number, err := strconv.ParseUint(m.Subject[len(p.prefix):], 36, 64)
	if err == nil {
		p.settle(number, verdict(refusal(m)))
	}
}

// refusal returns what the broker has against a message; nil if it was stored.
func refusal(m *nats.Msg) error {
	if bytes.HasPrefix(m.Data, []byte(`{"stream":`)) && !bytes.Contains(m.Data, []byte(`"error"`)) {
		return nil
	}
	if m.Header.Get(statusHeader) == statusNoResponders {
		return nats.ErrNoResponders
	}
	var answer struct {
		Error  *jetstream.APIError `json:"error"`
		Stream string              `json:"stream"`
	}
	switch err := json.Unmarshal(m.Data, &answer); {
	case err == nil && answer.Error != nil:
		return answer.Error
	case err != nil || answer.Stream == "":
		return jetstream.ErrInvalidJSAck
	}
	return nil
}

const statusNoResponders = "503"
