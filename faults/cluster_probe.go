//go:build unix

package main

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"segue/faults/fleet"
)

// probe asks the broker all the time for what Segue needs of it, so that its own
// outage can be told from that of Segue: a stream and a queue each have a leader
// of their own, which is elected anew when its server has not been heard of for
// 4 to 9 s, and once more if the vote was split.
type probe struct {
	c  *fleet.Client
	mu sync.Mutex
	ok []time.Time // when everything answered
}

const (
	probeInterval = 100 * time.Millisecond
	probeTimeout  = 500 * time.Millisecond
)

// needed is what has to answer: queues by stream.
var needed = map[string][]string{
	"SAGA_STARTS":  {"intake"},
	"SAGA_RUNS":    {"fetcher", "validator", "parser", "saver"},
	"SAGA_HISTORY": nil, "KV_SAGA_ORCHESTRATORS": nil,
}

// newProbe asks until ctx is done.
func newProbe(ctx context.Context, c *fleet.Client) *probe {
	p := &probe{c: c}
	go func() {
		for ctx.Err() == nil {
			asked := time.Now()
			if p.ask(ctx) == nil {
				p.mu.Lock()
				p.ok = append(p.ok, asked)
				p.mu.Unlock()
			}
			pause(ctx, probeInterval)
		}
	}()
	return p
}

func (p *probe) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	for stream, queues := range needed {
		group.Go(func() error { _, _, err := p.c.Info(ctx, stream); return err })
		for _, queue := range queues {
			group.Go(func() error { _, err := p.c.Queue(ctx, stream, queue); return err })
		}
	}
	return group.Wait()
}

// outage returns the longest time between two instants in which the broker did
// not answer everything.
func (p *probe) outage(from, to time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return longestGap(p.ok, from, to)
}
