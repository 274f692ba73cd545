package jetstream

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// pull asks for messages on one connection. There may be several requests under
// way, but never for more messages than there are free places: what is asked for
// holds its places.
//
// The broker can lose a request, when the leader of a queue changes, and go on with
// those that came later. Which of them a message answers nobody says, so all that are
// under way at a time end at one: what has not been accounted for then is lost.
type pull struct {
	*work
	inbox   *nats.Subscription
	arrived chan *nats.Msg
	asked   int       // messages requested that have not come
	free    int       // places that are free and not asked for
	end     time.Time // of all requests under way
	came    bool
}

// askShare is the part of all places that have to be free before more is asked for
// while a request is under way: few requests, and one in time.
const askShare = 4

// minExpires is the shortest time that a request is made for.
const minExpires = time.Second

// run takes in what comes until the session ends or something is wrong.
func (p *pull) run(session context.Context) error {
	defer func() { p.giveUp(p.free); p.free = 0 }()
	quiet := time.NewTimer(2 * pullHeartbeat)
	defer quiet.Stop()
	for {
		p.claim()
		now := time.Now()
		if p.lost(now) {
			return jetstream.ErrNoHeartbeat
		}
		if p.wants(now) {
			if err := p.ask(now); err != nil {
				return err
			}
			quiet.Reset(2 * pullHeartbeat)
		}
		silence := quiet.C
		if p.asked == 0 {
			silence = nil // nobody has anything to say
		}
		select {
		case <-session.Done():
			return nil
		case <-p.slots:
			p.free++
		case <-silence:
			return jetstream.ErrNoHeartbeat
		case m := <-p.arrived:
			quiet.Reset(2 * pullHeartbeat)
			if m.Reply != "" {
				p.take(m)
			} else if err := p.heed(m); err != nil {
				return err
			}
		}
	}
}

// partTimeout is how long the broker may take to hear that no more is wanted.
const partTimeout = 2 * time.Second

// part ends the subscription. What the broker has sent before it heard of that is taken
// in: nobody else would get it before its lease has run out.
func (p *pull) part() {
	if p.asked > 0 && p.j.nc.IsConnected() && p.inbox.Drain() == nil {
		_ = p.j.nc.FlushTimeout(partTimeout) // fails when the connection is lost, and what is on it
	}
	_ = p.inbox.Unsubscribe() // fails only when the connection is closed, or when it has drained
	for len(p.arrived) > 0 {
		if m := <-p.arrived; m.Reply != "" {
			p.take(m)
		}
	}
	p.giveUp(p.asked)
}

// claim takes the places that are free.
func (p *pull) claim() {
	for {
		select {
		case <-p.slots:
			p.free++
		default:
			return
		}
	}
}

// giveUp frees places that were taken for messages that will not come.
func (p *pull) giveUp(places int) {
	for range places {
		p.slots <- struct{}{}
	}
}

// wants says whether to ask for more: at once where nothing is asked for, else when
// enough places are free, and it is not the end of what is under way.
func (p *pull) wants(now time.Time) bool {
	if p.free == 0 || p.asked == 0 {
		return p.free > 0
	}
	return p.free >= p.queue.Limit/askShare && p.end.Sub(now) >= minExpires
}

// lost says that messages are awaited that no request is under way for.
func (p *pull) lost(now time.Time) bool {
	return p.asked > 0 && now.Sub(p.end) > pullHeartbeat
}

func (p *pull) ask(now time.Time) error {
	if p.asked == 0 {
		p.end = now.Add(pullExpires)
	}
	expires := p.end.Sub(now)
	request := pullRequest{p.free, expires, min(pullHeartbeat, expires/4)} // the broker wants at least two in the time
	if err := p.j.requestMessages(p.stream, p.consumer, p.inbox.Subject, request); err != nil {
		return err
	}
	p.asked, p.free = p.asked+p.free, 0
	return nil
}

func (p *pull) take(m *nats.Msg) {
	p.came = true
	p.asked--
	p.deliver(m)
}

// heed takes in a word of the broker: that it is there, or that a request has
// ended, and how much of it will not come.
func (p *pull) heed(m *nats.Msg) error {
	switch status := m.Header.Get(statusHeader); status {
	case statusHeartbeat:
		return nil
	case statusExpired:
		unsent, err := strconv.Atoi(m.Header.Get(pendingPulledHeader))
		if err == nil {
			unsent = min(unsent, p.asked)
			p.asked, p.free = p.asked-unsent, p.free+unsent
			return nil
		}
		return fmt.Errorf("%w: %s without %s", errEnded, status, pendingPulledHeader)
	default:
		return fmt.Errorf("%w: %s %s", errEnded, status, m.Header.Get(descriptionHeader))
	}
}
