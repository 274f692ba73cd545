//go:build unix

package main

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"segue/faults/fleet"
)

func init() {
	register(Fault{
		Name:  "net-cut",
		Goal:  "0 acked starts lost, rows exact; each program connected again within 5 s of the end of a cut",
		Limit: 90 * time.Second, LongLimit: 40 * time.Minute,
		Run: netCut,
	})
	register(Fault{
		Name:   "net-half-open",
		Gentle: true,
		Goal:   "0 acked starts lost, rows exact; dead connections that nobody closed replaced within 35 s",
		Limit:  2 * time.Minute, LongLimit: 30 * time.Minute,
		Run: netHalfOpen,
	})
	register(Fault{
		Name:   "net-slow",
		Gentle: true,
		Goal:   "never 10 s without progress, no attempt times out, no further attempts; rows exact",
		Limit:  90 * time.Second, LongLimit: 30 * time.Minute,
		Run: netSlow,
	})
	register(Fault{
		Name:   "net-lost-acks",
		Gentle: true,
		Goal:   "10 % of the broker's acknowledgements lost: 0 starts lost, nothing done twice, rows exact",
		Limit:  2 * time.Minute, LongLimit: 40 * time.Minute,
		Run: netLostAcks,
	})
}

// netted is a scene in which each member reaches the broker through a proxy of
// its own.
type netted struct {
	*Scene
	proxies map[string]*proxy // by member
	pulse   *pulse
}

// net stages docs documents, with a lease.
func (b *Bench) net(ctx context.Context, docs int, lease time.Duration) (*netted, error) {
	saga, err := sturdy(b)
	if err != nil {
		return nil, err
	}
	shelf, err := b.Shelf(docs, sturdyName)
	if err != nil {
		return nil, err
	}
	cfg := fleet.Config{
		Programs: b.Programs, Dir: b.Dir, Sagas: []string{saga},
		Env: []string{fmt.Sprintf("SEGUE_LEASE=%v", lease)}, Args: make(map[string][]string),
	}
	f, err := fleet.New(cfg)
	if err != nil {
		return nil, err
	}
	broker, err := url.Parse(f.URL)
	if err != nil {
		return nil, err
	}
	n := &netted{proxies: make(map[string]*proxy)}
	for i, member := range f.Members {
		p, err := newProxy(broker.Host, b.Seed+uint64(i))
		if err != nil {
			return nil, err
		}
		b.Defer(p.Close)
		n.proxies[member] = p
		f.Args[member] = []string{"--server", "nats://" + p.Addr()}
	}
	if n.Scene, err = b.Watch(ctx, f, shelf.Tasks); err != nil {
		return nil, err
	}
	if err := f.StartBroker(); err != nil {
		return nil, err
	}
	for _, member := range f.Members {
		if err := f.Start(member); err != nil {
			return nil, err
		}
	}
	if err := f.Ready(ctx, f.Members...); err != nil {
		return nil, err
	}
	n.pulse = newPulse(ctx, n.Client)
	return n, nil
}

// all sets the weather of all proxies.
func (n *netted) all(w weather) {
	for _, p := range n.proxies {
		p.Set(w)
	}
}

// reconnected waits until a member has made a further connection and is ready,
// and returns how long that took.
func (n *netted) reconnected(ctx context.Context, member string, before int) (time.Duration, error) {
	begin := time.Now()
	err := fleet.Await(ctx, func() error {
		if n.proxies[member].Connections() == before {
			return fmt.Errorf("%s has not connected again", member)
		}
		return nil
	})
	took := time.Since(begin)
	if err == nil {
		err = n.Ready(ctx, member)
	}
	return took, err
}

func netCut(ctx context.Context, b *Bench) (r Report, err error) {
	cuts, longest := b.Pick(5, 30), time.Duration(b.Pick(3, 60))*time.Second
	const rate = 20
	n, err := b.net(ctx, rate*b.Pick(30, 1200), 5*time.Second)
	if err != nil {
		return r, err
	}
	n.Load(ctx, rate)
	var worst time.Duration
	for range cuts {
		pause(ctx, b.between(100*time.Millisecond, time.Second))
		member := fleet.Ingest[b.Rand.IntN(len(fleet.Ingest))]
		if !n.Loading() {
			return r, errQuiet
		}
		p := n.proxies[member]
		p.Set(weather{Refused: true})
		if p.Cut() == 0 {
			return r, fmt.Errorf("%s had no connection to cut", member)
		}
		before := p.Connections()
		pause(ctx, b.between(longest/60, longest))
		p.Set(weather{})
		took, err := n.reconnected(ctx, member, before)
		if err != nil {
			return r, err
		}
		worst = max(worst, took)
	}
	r.Did = fmt.Sprintf("documents at %d/s, %d cuts of one program at a time, of %v to %v", rate, cuts, longest/60, longest)
	n.Enough()
	r.Want(worst <= 5*time.Second, "connected again %.1f s after a cut at the latest", worst.Seconds())
	return r, n.Finish(ctx, &r)
}

func netHalfOpen(ctx context.Context, b *Bench) (r Report, err error) {
	rounds := b.Pick(1, 10)
	const rate = 5
	n, err := b.net(ctx, rate*40*rounds, 5*time.Second)
	if err != nil {
		return r, err
	}
	n.Load(ctx, rate)
	var worst time.Duration
	for range rounds {
		pause(ctx, 2*time.Second)
		before := make(map[string]int)
		for member, p := range n.proxies {
			before[member] = p.Connections()
			if p.Strand() == 0 {
				return r, fmt.Errorf("%s had no connection to strand", member)
			}
		}
		begin := time.Now()
		for member := range n.proxies {
			if _, err := n.reconnected(ctx, member, before[member]); err != nil {
				return r, err
			}
			worst = max(worst, time.Since(begin))
		}
	}
	n.Enough()
	r.Did = fmt.Sprintf("documents at %d/s, %d times all connections of all programs dead without being closed", rate, rounds)
	r.Want(worst <= 35*time.Second, "connected anew after %.1f s at the latest", worst.Seconds())
	return r, n.Finish(ctx, &r)
}

func netSlow(ctx context.Context, b *Bench) (r Report, err error) {
	kinds := []weather{
		{Latency: 200 * time.Millisecond, Jitter: 150 * time.Millisecond},
		{Bandwidth: 64 << 10},
	}
	const rate = 2
	seconds := b.Pick(8, 300)
	n, err := b.net(ctx, rate*seconds*len(kinds), 30*time.Second)
	if err != nil {
		return r, err
	}
	n.Load(ctx, rate)
	begin := time.Now()
	for _, w := range kinds {
		n.all(w)
		pause(ctx, time.Duration(seconds)*time.Second)
	}
	end := time.Now()
	still, err := n.pulse.longest(ctx, begin, end)
	if err != nil {
		return r, err
	}
	r.Did = fmt.Sprintf("%d documents at %d/s: %d s of 200 ms +- 150 ms each way, %d s of 64 KiB/s, between each program and the broker", len(n.Tasks), rate, seconds, seconds)
	r.Want(still <= 10*time.Second, "%.1f s without progress at most", still.Seconds())
	if err := n.Finish(ctx, &r); err != nil {
		return r, err
	}
	flaky := 0
	for _, t := range n.Tasks {
		if t.Document.Flaky {
			flaky++
		}
	}
	second, timed := n.pulse.attempts()
	r.Want(timed == 0, "%d attempts timed out", timed)
	r.Want(second <= flaky, "%d second attempts, %d documents were refused at first", second, flaky)
	return r, nil
}

func netLostAcks(ctx context.Context, b *Bench) (r Report, err error) {
	docs := b.Pick(15, 1000)
	n, err := b.net(ctx, docs, 30*time.Second)
	if err != nil {
		return r, err
	}
	n.all(weather{LostAcks: 0.1})
	n.Load(ctx, 0)
	if err := n.Finish(ctx, &r); err != nil {
		return r, err
	}
	lost := 0
	for _, p := range n.proxies {
		lost += p.Lost()
	}
	r.Did = fmt.Sprintf("%d documents, %d acknowledgements lost on the way to the programs", docs, lost)
	r.Want(lost >= docs/10, "%d acknowledgements were lost", lost)
	return r, nil
}
