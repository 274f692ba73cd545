package jetstream

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"segue/events"
	"segue/journal"
)

const (
	membersPrefix = "$KV." + MembersBucket + "."
	// beatInterval is how often a member gives a sign of life.
	beatInterval = journal.MemberTTL / 3
	// countInterval is how often a member looks who has been silent.
	countInterval = journal.MemberTTL / 20

	kvOperation = "KV-Operation" // header of a key that is gone
	kvDelete    = "DEL"
)

// Members keeps a key in a KV bucket, whose TTL forgets those who died, and
// watches the keys of the others. Each member counts by itself how long another
// has been silent, for the expiry of a key is no event.
func (j *Journal) Members(ctx context.Context, id string) (<-chan []string, error) {
	if !events.ValidName(id) {
		return nil, fmt.Errorf("join members: id %q is not 1 to %d letters, digits, - and _", id, events.MaxToken)
	}
	f, err := j.read(ctx, membersStream, jetstream.ConsumerConfig{
		FilterSubject: membersPrefix + "*",
		DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy,
	})
	if err != nil {
		return nil, fmt.Errorf("join members: %w", err)
	}
	if err := j.patiently(ctx, "join members", func(ctx context.Context) error { return j.beat(ctx, id) }); err != nil {
		f.Close()
		return nil, fmt.Errorf("join members: %w", err)
	}
	m := &members{id: id, seen: map[string]time.Time{id: time.Now()}, out: make(chan []string)}
	ctx, cancel := j.join(ctx)
	left := make(chan struct{})
	j.busy.Go(func() {
		defer close(left)
		j.keepBeating(ctx, id)
	})
	j.busy.Go(func() {
		defer close(m.out)
		defer func() { <-left }()
		defer cancel()
		m.watch(ctx, f)
		f.Close()
	})
	return m.out, nil
}

// beat gives a sign of life.
func (j *Journal) beat(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, beatInterval)
	defer cancel()
	return j.sent.publishOne(ctx, nats.NewMsg(membersPrefix+id))
}

// keepBeating gives signs of life until ctx is done, and leaves then.
func (j *Journal) keepBeating(ctx context.Context, id string) {
	tick := time.NewTicker(beatInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			j.leave(id)
			return
		case <-tick.C:
			if err := j.beat(ctx, id); err != nil && ctx.Err() == nil {
				j.opts.Log.Warn("sign of life did not arrive", "member", id, "error", err)
			}
		}
	}
}

func (j *Journal) leave(id string) {
	if !j.nc.IsConnected() {
		return // the key's TTL says it in our place
	}
	ctx, cancel := context.WithTimeout(context.Background(), beatInterval)
	defer cancel()
	gone := nats.NewMsg(membersPrefix + id)
	gone.Header.Set(kvOperation, kvDelete)
	if err := j.sent.publishOne(ctx, gone); err != nil {
		j.opts.Log.Debug("leave did not arrive", "member", id, "error", err)
	}
}

// members counts who is alive.
type members struct {
	id   string
	seen map[string]time.Time // by the local clock
	live bool                 // all that was there at first has been seen
	out  chan []string
}

// watch tells of every change until ctx is done or the feed ends.
func (m *members) watch(ctx context.Context, f *feed) {
	tick := time.NewTicker(countInterval)
	defer tick.Stop()
	var told []string
	for {
		var out chan []string
		now := slices.Sorted(maps.Keys(m.seen))
		if m.live && !slices.Equal(now, told) {
			out = m.out
		}
		select {
		case <-ctx.Done():
			return
		case <-f.done:
			return
		case r := <-f.records:
			m.saw(r, time.Now())
		case t := <-tick.C:
			m.count(t)
		case out <- slices.Clone(now):
			told = now
		}
	}
}

func (m *members) saw(r journal.Record, now time.Time) {
	id := strings.TrimPrefix(r.Subject, membersPrefix)
	switch {
	case r.Live:
		m.live = true
	case id != m.id && r.Header.Get(kvOperation) != "":
		delete(m.seen, id)
	case id == m.id && now.Sub(m.seen[id]) > journal.MemberTTL:
		// Back after a time without the broker. The others need the time for a sign
		// of life, too, before their silence means anything.
		for other := range m.seen {
			m.seen[other] = now
		}
	default:
		m.seen[id] = now
	}
}

// count drops who has been silent for too long. As long as our own signs of life
// do not come back either, silence says nothing about the others.
func (m *members) count(now time.Time) {
	if now.Sub(m.seen[m.id]) > journal.MemberTTL {
		return
	}
	maps.DeleteFunc(m.seen, func(id string, at time.Time) bool {
		return id != m.id && now.Sub(at) > journal.MemberTTL
	})
}
