package jetstream

import (
	"bytes"
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
// watches the keys of the others; the value is what the member says. Each member
// counts by itself how long another has been silent, for the expiry of a key is no
// event.
func (j *Journal) Members(ctx context.Context, id string, say func() []byte) (<-chan []journal.Member, error) {
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
	if err := j.patiently(ctx, "join members", func(ctx context.Context) error { return j.beat(ctx, id, say) }); err != nil {
		f.Close()
		return nil, fmt.Errorf("join members: %w", err)
	}
	m := &members{id: id, seen: map[string]sign{id: {at: time.Now()}}, out: make(chan []journal.Member)}
	ctx, cancel := j.join(ctx)
	left := make(chan struct{})
	j.busy.Go(func() {
		defer close(left)
		j.keepBeating(ctx, id, say)
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
func (j *Journal) beat(ctx context.Context, id string, say func() []byte) error {
	ctx, cancel := context.WithTimeout(ctx, beatInterval)
	defer cancel()
	alive := nats.NewMsg(membersPrefix + id)
	if say != nil {
		alive.Data = say()
	}
	return j.sent.publishOne(ctx, alive)
}

// keepBeating gives signs of life until ctx is done, and leaves then.
func (j *Journal) keepBeating(ctx context.Context, id string, say func() []byte) {
	tick := time.NewTicker(beatInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			j.leave(id)
			return
		case <-tick.C:
			if err := j.beat(ctx, id, say); err != nil && ctx.Err() == nil {
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
	seen map[string]sign
	live bool // all that was there at first has been seen
	out  chan []journal.Member
}

// sign is a member's last sign of life.
type sign struct {
	at   time.Time // by the local clock
	said []byte
}

// watch tells of every change until ctx is done or the feed ends.
func (m *members) watch(ctx context.Context, f *feed) {
	tick := time.NewTicker(countInterval)
	defer tick.Stop()
	var told []journal.Member
	for {
		var out chan []journal.Member
		now := m.alive()
		if m.live && !slices.EqualFunc(now, told, same) {
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
		case out <- now:
			told = now
		}
	}
}

func same(a, b journal.Member) bool { return a.ID == b.ID && bytes.Equal(a.Said, b.Said) }

func (m *members) alive() (list []journal.Member) {
	for _, id := range slices.Sorted(maps.Keys(m.seen)) {
		list = append(list, journal.Member{ID: id, Said: m.seen[id].said})
	}
	return list
}

func (m *members) saw(r journal.Record, now time.Time) {
	id := strings.TrimPrefix(r.Subject, membersPrefix)
	switch {
	case r.Live:
		m.live = true
		return
	case id != m.id && r.Header.Get(kvOperation) != "":
		delete(m.seen, id)
		return
	case id == m.id && now.Sub(m.seen[id].at) > journal.MemberTTL:
		// Back after a time without the broker. The others need the time for a sign
		// of life, too, before their silence means anything.
		for other, s := range m.seen {
			m.seen[other] = sign{now, s.said}
		}
	}
	m.seen[id] = sign{now, r.Data}
}

// count drops who has been silent for too long. As long as our own signs of life
// do not come back either, silence says nothing about the others.
func (m *members) count(now time.Time) {
	if now.Sub(m.seen[m.id].at) > journal.MemberTTL {
		return
	}
	maps.DeleteFunc(m.seen, func(id string, s sign) bool {
		return id != m.id && now.Sub(s.at) > journal.MemberTTL
	})
}
