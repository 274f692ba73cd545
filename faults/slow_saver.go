//go:build unix

package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"segue/faults/fleet"
)

func init() {
	register(Fault{
		Name:  "slow-saver",
		Goal:  "every program within 256 MiB, less than 1 % of the commands delivered again, rows exact",
		Limit: 100 * time.Second, LongLimit: 30 * time.Minute,
		Run: slowSaver,
	})
}

// maxMemory is the most that a program may have in memory, in bytes.
const maxMemory = 256 << 20

// slowSaver lets the saver run for one hundredth of the time while documents go on
// coming in, and then lets it go.
func slowSaver(ctx context.Context, b *Bench) (r Report, err error) {
	docs, slow := b.Pick(800, 2500), time.Duration(b.Pick(15, 240))*time.Second
	shelf, err := b.Shelf(docs, "ingest")
	if err != nil {
		return r, err
	}
	s, err := b.Stage(ctx, fleet.Config{}, shelf.Tasks)
	if err != nil {
		return r, err
	}
	limited, free := context.WithTimeout(ctx, slow)
	defer free()
	var crawl sync.WaitGroup
	crawl.Go(func() { s.crawl(limited) })
	begin := time.Now()
	s.Load(ctx, float64(docs)/slow.Seconds()*1.5)
	memory := s.memory(limited)
	crawl.Wait()
	crawled, ended := time.Since(begin), s.Watch.Ended()
	records := 0
	for _, t := range s.Tasks {
		records += len(t.Document.Rows)
	}
	r.Did = fmt.Sprintf("%d documents with %d records; the saver runs for 1 %% of the time, for %.0f s", docs, records, crawled.Seconds())
	freed := time.Now()
	if err := s.Finish(ctx, &r); err != nil {
		return r, err
	}
	end := s.Watch.LastEnd()
	r.Note("%.0f runs ended a second, %.0f when it was let go", float64(ended)/crawled.Seconds(), float64(docs-ended)/end.Sub(freed).Seconds())
	most := slices.MaxFunc(s.Members, func(a, b string) int { return int(memory[a]>>10) - int(memory[b]>>10) })
	r.Want(memory[most] > 0 && memory[most] <= maxMemory, "at most %d MiB in memory (%s)", memory[most]>>20, most)
	again, commands, err := s.redelivered(ctx, "saver")
	r.Want(again*100 < commands, "%d of %d commands delivered again", again, commands)
	return r, err
}

// crawl lets the saver run for one hundredth of the time until ctx is done.
func (s *Scene) crawl(ctx context.Context) {
	const moment = 4 * time.Millisecond
	p := s.Member("saver")
	defer p.Resume()
	for ctx.Err() == nil {
		p.Pause()
		pause(ctx, 99*moment)
		p.Resume()
		pause(ctx, moment)
	}
}

// memory returns the most that each member has in memory until ctx is done.
func (s *Scene) memory(ctx context.Context) map[string]int64 {
	most := make(map[string]int64)
	for ctx.Err() == nil {
		for _, member := range s.Members {
			now, _ := s.Member(member).Memory()
			most[member] = max(most[member], now)
		}
		pause(ctx, 200*time.Millisecond)
	}
	return most
}
