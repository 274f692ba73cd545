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
type pull struct {
	*work
	inbox   *nats.Subscription
	arrived chan *nats.Msg
	asked   int // messages requested that have not come
	free    int // places that are free and not asked for
	came    bool
}

// askShare is the part of all places that have to be free before more is asked for
// while a request is under way: few requests, and one in time.
const askShare = 4

// run takes in what comes until the session ends or something is wrong.
func (p *pull) run(session context.Context) error {
	defer func() { p.giveUp(p.free); p.free = 0 }()
	quiet := time.NewTimer(2 * pullHeartbeat)
	defer quiet.Stop()
	for {
		p.claim()
		if p.free > 0 && (p.asked == 0 || p.free >= p.queue.Limit/askShare) {
			if err := p.ask(); err != nil {
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

func (p *pull) ask() error {
	if err := p.j.requestMessages(p.stream, p.consumer, p.inbox.Subject, pullRequest{p.free, pullExpires, pullHeartbeat}); err != nil {
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
