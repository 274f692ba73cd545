//go:build unix

package main

import (
	"context"
	"fmt"
	"time"

	"segue/faults/fleet"
)

func init() {
	register(Fault{
		Name:   "cluster",
		Gentle: true,
		Goal:   "three servers, each stream on all: 0 acked starts lost, rows exact; at most 10 s without progress when connections break, 45 s when a server says nothing",
		Limit:  3 * time.Minute, LongLimit: 40 * time.Minute,
		Run: clusterFaults,
	})
}

// The longest time without a message in the journal that a fault may cause in a
// cluster: when connections break, and when a server just says nothing. Its peers
// then elect a leader after 4 to 9 s, more if the vote is split, and programs that
// are connected to it give it up after 20 to 30 s.
const (
	standstill       = 10 * time.Second
	silentStandstill = 45 * time.Second
)

// strike is something that befalls the server that leads the journal.
type strike struct {
	name   string
	silent bool
	do     func(c *cluster, leader int) (undo func() error)
}

// How long a server is away, longer than it may matter; in the short form a
// silent one comes back before that.
const (
	away       = 11 * time.Second
	silentAway = 60 * time.Second
)

// interval is how long starts go on to come for each fault when it is over.
const interval = 6 * time.Second

var strikes = []strike{
	{"killed", false, func(c *cluster, i int) func() error {
		c.nodes[i].process.Kill()
		return c.nodes[i].start
	}},
	{"paused", true, func(c *cluster, i int) func() error {
		c.nodes[i].process.Pause()
		return func() error { c.nodes[i].process.Resume(); return nil }
	}},
	{"cut off", false, func(c *cluster, i int) func() error {
		c.isolate(i, weather{Refused: true}, weather{Refused: true})
		return func() error { c.isolate(i, weather{}, weather{}); return nil }
	}},
	{"cut off without a word", true, func(c *cluster, i int) func() error {
		c.isolate(i, weather{Hung: true}, weather{Hung: true})
		return func() error { c.isolate(i, weather{}, weather{}); return nil }
	}},
	{"cut off from its peers alone", true, func(c *cluster, i int) func() error {
		c.isolate(i, weather{Refused: true}, weather{})
		return func() error { c.isolate(i, weather{}, weather{}); return nil }
	}},
}

func clusterFaults(ctx context.Context, b *Bench) (r Report, err error) {
	strikes, rounds := strikes, b.Pick(1, 8)
	if !b.Long {
		strikes = strikes[:3] // killed, paused, cut off
	}
	const rate = 15
	runs := rate * rounds * len(strikes) * int((silentAway+2*interval)/time.Second)
	c, err := startCluster(ctx, b)
	if err != nil {
		return r, err
	}
	saga, err := sturdyWithin(b, 10*time.Second)
	if err != nil {
		return r, err
	}
	shelf, err := b.Shelf(runs, sturdyName)
	if err != nil {
		return r, err
	}
	scene, err := b.Stage(ctx, fleet.Config{
		Server: c.URL(), Sagas: []string{saga},
		Members: []string{"orchestrator-1", "orchestrator-2", "fetcher-1", "fetcher-2", "validator-1", "validator-2", "parser-1", "parser-2", "saver-1", "saver-2"},
		Args:    map[string][]string{"orchestrator": {"--replicas", "3"}},
		Env:     []string{"SEGUE_LEASE=5s"},
	}, shelf.Tasks)
	if err != nil {
		return r, err
	}
	watched := eyes{newPulse(ctx, scene.Client), newProbe(ctx, scene.Client)}
	scene.Load(ctx, rate)
	r.Did = fmt.Sprintf("documents at %d/s, %d faults of the journal's leader", rate, rounds*len(strikes))
	for i := range rounds {
		for _, s := range strikes {
			b.Log("round %d: leader is %s", i+1, s.name)
			if err := c.strike(ctx, scene, watched, s, &r); err != nil {
				return r, fmt.Errorf("leader %s: %w", s.name, err)
			}
		}
	}
	scene.Enough()
	return r, scene.Finish(ctx, &r)
}

// strike does it to the leader of the journal, takes it back after a while and
// waits until the cluster is whole again.
func (c *cluster) strike(ctx context.Context, s *Scene, watched eyes, strike strike, r *Report) error {
	if err := c.healthy(ctx); err != nil {
		return err
	}
	if !s.Loading() {
		return errQuiet
	}
	_, info, err := s.Info(ctx, "SAGA_RUNS")
	if err != nil {
		return err
	}
	if len(info.Cluster.Replicas) != 2 {
		return fmt.Errorf("the journal is on %d servers beside its leader, want 2", len(info.Cluster.Replicas))
	}
	leader, err := c.named(info.Cluster.Leader)
	if err != nil {
		return err
	}
	begin := time.Now()
	takeBack := strike.do(c, leader)
	if strike.silent && s.b.Long {
		pause(ctx, silentAway)
	} else {
		pause(ctx, away)
	}
	if err := takeBack(); err != nil {
		return err
	}
	if err := c.healthy(ctx); err != nil {
		return err
	}
	if !s.Loading() {
		return errQuiet
	}
	end := time.Now()
	still, err := watched.longest(ctx, begin, end)
	if err != nil {
		return err
	}
	outage := watched.outage(begin, end)
	limit := standstill
	if strike.silent {
		limit = silentStandstill
	}
	r.Want(still <= limit, "%s: %.1f s without progress, %.1f s of them without leaders of all streams and queues", strike.name, still.Seconds(), min(still, outage).Seconds())
	return nil
}

// eyes see how Segue gets on and how the broker does.
type eyes struct {
	*pulse
	*probe
}
