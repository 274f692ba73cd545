package memory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"segue/events"
	"segue/journal"
)

// Client is a journal as one process sees it: what it follows, leases and
// announces ends with it.
type Client struct {
	j    *Journal
	name string
	id   uint64 // what it is to chance

	// Guarded by j.mu.
	dead    bool
	feeds   map[*feed]struct{}
	workers map[*worker]struct{}
	members []*member
	joined  map[string]int // queue => how often it was joined

	done chan struct{} // closed when it ends
}

var _ journal.Journal = (*Client)(nil)

// Client returns the client of a name, a new one if there is none or if it was
// killed. A name is all that tells clients apart to chance: in a simulation,
// give each process its own.
func (j *Journal) Client(name string) *Client {
	j.mu.Lock()
	defer j.mu.Unlock()
	if c := j.clients[name]; c != nil && !c.dead {
		return c
	}
	c := &Client{
		j: j, name: name, id: digest(name),
		feeds: make(map[*feed]struct{}), workers: make(map[*worker]struct{}), joined: make(map[string]int),
		done: make(chan struct{}), dead: j.closed,
	}
	if c.dead {
		close(c.done)
	}
	j.clients[name] = c
	return c
}

// Kill ends the client as a crash ends a process, without a word: what it has
// asked for and has not arrived is lost, its leases run out, its members expire.
// Everything of it, deliveries too, then returns journal.ErrClosed.
func (c *Client) Kill() {
	c.j.mu.Lock()
	defer c.j.mu.Unlock()
	if c.dead {
		return
	}
	c.j.trace("killed", c.name, 0)
	members := slices.Clone(c.members)
	c.end()
	c.j.expireMembers(members)
}

// end closes what the client has. The journal must be locked.
func (c *Client) end() {
	if c.dead {
		return
	}
	c.dead = true
	close(c.done)
	for f := range c.feeds {
		f.end()
	}
	for w := range c.workers {
		w.end()
	}
	for _, m := range slices.Clone(c.members) {
		m.end()
	}
}

// errClosed says of what is asked of a dead client that it is too late.
func errClosed(doing string) error { return fmt.Errorf("%s: %w", doing, journal.ErrClosed) }

// Info implements [journal.Journal].
func (c *Client) Info(ctx context.Context) (journal.Info, error) {
	told := make(chan journal.Info, 1) // the broker may answer when nobody waits any more
	err := c.ask(ctx, "read journal info", "info", 0, func() error {
		told <- journal.Info{ID: c.j.name(), Partitions: c.j.config.Partitions, Now: time.Now().UTC(), Last: c.j.runs.sequence}
		return nil
	})
	if err != nil {
		return journal.Info{}, err
	}
	return <-told, nil
}

// Append implements [journal.Journal]. After a loss it returns [ErrTimeout]; when
// ctx ends before the answer comes, messages may still be stored.
func (c *Client) Append(ctx context.Context, messages ...events.Message) error {
	if len(messages) == 0 {
		return ctx.Err()
	}
	records := make([]*record, len(messages))
	for i, m := range messages {
		if payload(m) > maxPayload {
			return fmt.Errorf("append %s: %w", m.Subject, journal.ErrTooLarge)
		}
		records[i] = newRecord(m)
		if s, _ := c.j.root(records[i].tokens); s == nil {
			return fmt.Errorf("append %s: no stream keeps this subject", m.Subject)
		}
	}
	a := &appending{client: c, records: records}
	return c.await(ctx, "append "+messages[0].Subject, records[0].id^c.id, a.begin)
}

// appending is a call of Append under way. The messages are sent all at once and
// arrive one after the other.
type appending struct {
	client  *Client
	sent    time.Time
	records []*record
	request *request
	err     error // the first
	lost    bool
}

func (a *appending) begin(r *request) {
	a.request, a.sent = r, time.Now()
	first := a.records[0].id ^ a.client.id
	a.client.j.after(a.client.j.travel(toArrive, first), first, a.arrive)
}

// arrive stores the first message that has not arrived yet.
func (a *appending) arrive() {
	j, c := a.client.j, a.client
	if c.dead {
		return
	}
	r := a.records[0]
	a.records = a.records[1:]
	switch id := r.id ^ c.id; {
	case !a.request.reaches(), j.happens(j.config.Faults.LostAppend, lose, id):
		j.trace("lost", r.Subject, r.id)
		a.lost = true
	default:
		if err := j.store(r); err != nil && a.err == nil {
			a.err = err
		}
		if j.happens(j.config.Faults.LostAck, loseReply, id) {
			j.trace("unheard", r.Subject, r.id)
			a.lost = true
		}
	}
	switch {
	case len(a.records) > 0:
		next := a.records[0].id ^ c.id
		j.after(max(0, j.travel(toArrive, next)-time.Since(a.sent)), next, a.arrive)
	case !a.lost:
		a.request.answer(r.id^c.id, a.err)
	}
}

// Follow implements [journal.Journal].
func (c *Client) Follow(ctx context.Context, filter string, after uint64) (journal.Feed, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("follow %s: %w", filter, err)
	}
	tokens := strings.Split(filter, ".")
	if c.j.library(tokens) == nil {
		return nil, fmt.Errorf("follow %s: no stream to read by this filter: %w", filter, events.ErrSubject)
	}
	c.j.mu.Lock()
	defer c.j.mu.Unlock()
	if c.dead {
		return nil, errClosed("follow " + filter)
	}
	return newFeed(ctx, c, tokens, after), nil
}

// Load implements [journal.Journal]. After a loss it returns [ErrTimeout].
func (c *Client) Load(ctx context.Context, filter string) ([]journal.Record, error) {
	tokens := strings.Split(filter, ".")
	l := c.j.library(tokens)
	if l == nil {
		return nil, fmt.Errorf("load %s: no stream to read by this filter: %w", filter, events.ErrSubject)
	}
	found := make(chan []*record, 1) // the broker may answer when nobody waits any more
	err := c.ask(ctx, "load "+filter, "load "+filter, digest(filter), func() error {
		var records []*record
		for _, r := range l.find(tokens).records {
			if !r.gone && matches(tokens, r.tokens) {
				records = append(records, r)
			}
		}
		found <- records
		return nil
	})
	if err != nil {
		return nil, err
	}
	var records []journal.Record
	for _, r := range <-found {
		records = append(records, r.record())
	}
	return records, nil
}
