package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"segue/events"
	"segue/journal"
)

const (
	// readAhead is how many messages a reader asks for at a time, and so about how
	// many it may hold in memory: 8 MiB if all are as large as inline data gets.
	readAhead = 500
	// pullExpires is how long the broker keeps a request for messages.
	pullExpires = 30 * time.Second
	// heartbeat is how often the broker gives a sign of life to a reader that waits.
	// A reader that hears nothing for silence begins anew behind its last message.
	heartbeat = time.Second
	silence   = 2*heartbeat + time.Second
	// readerLife is how long the broker keeps the reader of a process that died.
	readerLife = time.Minute
)

// reader reads a stream in order, each message once, through a consumer of its
// own. At a gap, after a restart of the broker or of the connection the consumer
// is made anew behind the last message.
//
// The ordered consumer of the client library (nats.go 1.55.0) does the same, but
// takes a message without data and with a header "Status", which anyone may
// store, for a word of the broker, finds a gap there and never gets past it. Here
// a message is what has a subject to be acked on, which the broker alone sets.
type reader struct {
	j      *Journal
	stream string
	config jetstream.ConsumerConfig // of the first consumer

	// left is how many of the messages stored when reading began are still to come.
	// It may be too large: messages can be purged while they are awaited.
	left  uint64
	begun bool // there has been a consumer

	name    string // of the consumer; "" if there is none
	session context.Context
	release context.CancelFunc
	inbox   *nats.Subscription
	arrived chan *nats.Msg
	asked   int    // messages requested that have not come
	place   uint64 // of the last message in the consumer
	last    uint64 // its sequence in the stream
}

// newReader returns a reader that has not begun. What its consumer brings is not acked.
func newReader(j *Journal, stream string, config jetstream.ConsumerConfig) *reader {
	config.AckPolicy, config.MaxDeliver = jetstream.AckNonePolicy, 1
	config.InactiveThreshold = readerLife
	config.MemoryStorage, config.Replicas = true, 1
	return &reader{j: j, stream: stream, config: config, left: math.MaxUint64}
}

// open makes the consumer, behind the last message if there was one.
func (r *reader) open(ctx context.Context) error {
	session, release, err := r.j.link.within(ctx)
	if err != nil {
		return err
	}
	config := r.config
	if r.last > 0 {
		config.DeliverPolicy, config.OptStartSeq = jetstream.DeliverByStartSequencePolicy, r.last+1
	}
	request, cancel := context.WithTimeout(session, requestTimeout)
	defer cancel()
	consumer, err := r.j.js.CreateConsumer(request, r.stream, config)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		err = ErrNoJournal
	case err != nil && session.Err() != nil && ctx.Err() == nil:
		err = nats.ErrDisconnected
	}
	if err != nil {
		release()
		return err
	}
	arrived := make(chan *nats.Msg, 2*readAhead) // with room for what is no message
	inbox, err := r.j.nc.ChanSubscribe(r.j.nc.NewInbox(), arrived)
	if err != nil {
		release()
		return err
	}
	info := consumer.CachedInfo()
	r.name, r.session, r.release, r.inbox, r.arrived = info.Name, session, release, inbox, arrived
	r.asked, r.place, r.left, r.begun = 0, 0, min(r.left, info.NumPending), true
	return nil
}

// drop leaves the consumer, which the broker then forgets.
func (r *reader) drop() {
	if r.name == "" {
		return
	}
	_ = r.inbox.Unsubscribe() // fails only when the connection is closed
	r.release()
	r.name = ""
}

// forget deletes the consumer, which would otherwise stay for readerLife: that
// adds up where single runs are read all the time.
func (r *reader) forget() {
	name := r.name
	r.drop()
	if name == "" || !r.j.nc.IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	_ = r.j.js.DeleteConsumer(ctx, r.stream, name) // the broker sees to it otherwise
}

// next waits for a message. It returns false when something else has happened
// that may have changed what is left.
func (r *reader) next(ctx context.Context, quiet *time.Ticker) (journal.Record, bool, error) {
	if r.name == "" {
		return journal.Record{}, false, r.reopen(ctx)
	}
	if err := r.ask(); err != nil {
		return journal.Record{}, false, err
	}
	select {
	case <-ctx.Done():
		return journal.Record{}, false, context.Cause(ctx)
	case <-r.session.Done():
		r.drop()
		return journal.Record{}, false, nil
	case m := <-r.arrived:
		quiet.Reset(silence)
		return r.take(ctx, m)
	case <-quiet.C:
		r.drop()
		return journal.Record{}, false, nil
	}
}

// reopen opens until it works. Once it has worked only a stream or a connection
// that is gone for good ends it.
func (r *reader) reopen(ctx context.Context) error {
	for pause := (backoff{}); ; {
		err := r.open(ctx)
		gone := errors.Is(err, ErrNoJournal) || errors.Is(err, nats.ErrConnectionClosed)
		if err == nil || ctx.Err() != nil || gone || !r.begun && !passing(err) {
			return err
		}
		r.j.opts.Log.Warn("reading is begun again", "stream", r.stream, "error", err)
		_ = pause.sleep(ctx) // the end of ctx is found by the next try
	}
}

// ask requests messages when half of those requested have come.
func (r *reader) ask() error {
	if r.asked > readAhead/2 {
		return nil
	}
	count := readAhead - r.asked
	if err := r.j.requestMessages(r.stream, r.name, r.inbox.Subject, pullRequest{count, pullExpires, heartbeat}); err != nil {
		return err
	}
	r.asked += count
	return nil
}

// pullRequest asks a consumer for messages.
type pullRequest struct {
	Batch         int           `json:"batch"`
	Expires       time.Duration `json:"expires"` // of the request, at the broker
	IdleHeartbeat time.Duration `json:"idle_heartbeat"`
}

// requestMessages asks a consumer for messages, to be sent to an inbox.
func (j *Journal) requestMessages(stream, consumer, inbox string, p pullRequest) error {
	request, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return j.nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT."+stream+"."+consumer, inbox, request)
}

// take sorts out what arrived.
func (r *reader) take(ctx context.Context, m *nats.Msg) (journal.Record, bool, error) {
	if m.Reply == "" {
		return journal.Record{}, false, r.heed(ctx, m)
	}
	meta, err := m.Metadata()
	if err != nil {
		return journal.Record{}, false, fmt.Errorf("read metadata of %s: %w", m.Subject, err)
	}
	if meta.Sequence.Consumer != r.place+1 {
		r.drop()
		return journal.Record{}, false, nil
	}
	r.place, r.last = meta.Sequence.Consumer, meta.Sequence.Stream
	r.asked--
	if r.left > 0 {
		r.left = min(r.left-1, meta.NumPending)
	}
	return journal.Record{Message: message(m), Sequence: meta.Sequence.Stream, Stored: meta.Timestamp}, true, nil
}

// The words of the broker to who waits for messages.
const (
	statusHeartbeat     = "100"
	statusExpired       = "408"
	descriptionHeader   = "Description"
	pendingPulledHeader = "Nats-Pending-Messages" // how many of a request will not come
)

// heed does what a word of the broker asks for.
func (r *reader) heed(ctx context.Context, m *nats.Msg) error {
	switch m.Header.Get(statusHeader) {
	case statusHeartbeat:
		if r.left > 0 && r.drained(ctx) {
			r.left = 0
		}
	case statusExpired:
		unsent, err := strconv.Atoi(m.Header.Get(pendingPulledHeader))
		if err != nil {
			r.drop()
			return nil
		}
		r.asked = max(0, r.asked-unsent)
	default: // the consumer is gone, or its leader is another
		r.drop()
	}
	return nil
}

// drained asks the broker, when it has nothing to send, whether that is because
// everything stored has been delivered. It is so when the last messages were
// purged before they were sent.
func (r *reader) drained(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	c, err := r.j.js.Consumer(ctx, r.stream, r.name)
	if err != nil {
		return false
	}
	info := c.CachedInfo()
	return info.NumPending == 0 && info.Delivered.Consumer == r.place
}

// message takes a message from the client, without the headers that its way
// into the stream left on it.
func message(m *nats.Msg) events.Message {
	for _, h := range ownHeaderNames {
		delete(m.Header, h)
	}
	return events.Message{Subject: m.Subject, Header: events.Header(m.Header), Data: m.Data}
}
