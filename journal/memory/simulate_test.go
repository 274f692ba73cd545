package memory_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"segue/events"
	"segue/journal"
	"segue/journal/memory"
)

// everything is a configuration in which everything goes wrong.
func everything(seed uint64) memory.Config {
	return memory.Config{
		Seed: seed, Latency: 5 * time.Millisecond, Lease: 2 * time.Second, Timeout: 500 * time.Millisecond,
		Faults: memory.Faults{
			LostAppend: 0.05, LostAck: 0.05, Duplicate: 0.05, Delay: 0.05, MaxDelay: 3 * time.Second, Reorder: 0.2,
		},
	}
}

// workload is a small system on a journal: writers that race, followers,
// workers that answer commands, a process that is killed, a broker that crashes.
type workload struct {
	t    *testing.T
	j    *memory.Journal
	runs int

	mu   sync.Mutex
	seen map[string][]string // by follower: what it saw, in order
	all  sync.WaitGroup
}

// run returns the trace and what each follower saw.
func (w *workload) run(config memory.Config) (trace []string, seen map[string][]string) {
	synctest.Test(w.t, func(t *testing.T) {
		w.seen = make(map[string][]string)
		config.Trace = func(line string) { trace = append(trace, line) }
		w.j = memory.New(config)
		defer w.j.Close()
		ctx, cancel := context.WithCancel(t.Context())
		for i := range 2 {
			w.all.Go(func() { w.follow(ctx, fmt.Sprintf("follower%d", i), events.AllRuns) })
			w.all.Go(func() { w.work(ctx, fmt.Sprintf("worker%d", i)) })
			w.all.Go(func() { w.member(ctx, fmt.Sprintf("member%d", i)) })
		}
		w.all.Go(func() { w.follow(ctx, "partition", events.PartitionFilter(3)) })
		w.all.Go(func() { w.work(ctx, "doomed") })
		var writers sync.WaitGroup
		for i := range 3 {
			writers.Go(func() { w.write(ctx, fmt.Sprintf("writer%d", i)) })
		}
		wait(3 * time.Second)
		w.j.Client("doomed").Kill()
		w.j.Crash(700 * time.Millisecond)
		writers.Wait()
		wait(time.Minute) // every lease has run out by then, several times
		cancel()
		w.all.Wait()
	})
	return trace, w.seen
}

// wait lets time of the bubble pass.
func wait(d time.Duration) { <-time.After(d) }

// write appends the same messages as the other writers, until each is stored.
func (w *workload) write(ctx context.Context, name string) {
	c := w.j.Client(name)
	for i := range w.runs {
		run := fmt.Sprintf("run-%d", i)
		started := events.RunSubject(events.KindStarted, run, journal.DefaultPartitions)
		command := started.With(events.KindCommand)
		command.Service, command.Step, command.Attempt = "svc", "step", events.Attempt{N: 1}
		w.insist(ctx, c, named(started, name), named(command, name))
	}
}

func named(s events.Subject, by string) events.Message {
	return events.Message{Subject: s.String(), Header: events.Header{"ce-id": {by}}, Data: []byte(by)}
}

func (w *workload) insist(ctx context.Context, c *memory.Client, messages ...events.Message) {
	for {
		err := c.Append(ctx, messages...)
		if !errors.Is(err, memory.ErrTimeout) {
			return
		}
		wait(10 * time.Millisecond)
	}
}

func (w *workload) follow(ctx context.Context, name, filter string) {
	feed, err := w.j.Client(name).Follow(ctx, filter, 0)
	if err != nil {
		w.t.Errorf("follow: %v", err)
		return
	}
	for {
		r, err := feed.Next(ctx)
		if err != nil {
			return
		}
		w.saw(name, fmt.Sprintf("%d %s %s live=%v", r.Sequence, r.Subject, r.Data, r.Live))
	}
}

func (w *workload) saw(who, what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen[who] = append(w.seen[who], what)
}

func (w *workload) member(ctx context.Context, name string) {
	count := 0
	members, err := w.j.Client(name).Members(ctx, name, func() []byte { count++; return fmt.Append(nil, count/3) })
	if err != nil {
		w.t.Errorf("join: %v", err)
		return
	}
	for alive := range members {
		w.saw(name, fmt.Sprintf("%s", alive))
	}
}

// work answers commands, three at a time.
func (w *workload) work(ctx context.Context, name string) {
	c := w.j.Client(name)
	work, err := c.Consume(ctx, journal.Commands("svc", 3))
	if err != nil {
		w.t.Errorf("consume: %v", err)
		return
	}
	var handlers sync.WaitGroup
	for range 3 {
		handlers.Go(func() {
			for {
				d, err := work.Next(ctx)
				if err != nil {
					return
				}
				w.handle(ctx, c, d)
			}
		})
	}
	handlers.Wait()
}

func (w *workload) handle(ctx context.Context, c *memory.Client, d journal.Delivery) {
	wait(20 * time.Millisecond)
	if d.Count() == 1 && len(d.Message().Subject)%3 == 0 {
		_ = d.Nak(100 * time.Millisecond) // lost or not, it comes again
		return
	}
	s, err := events.ParseSubject(d.Message().Subject)
	if err != nil {
		w.t.Errorf("parse: %v", err)
	}
	w.insist(ctx, c, named(s.With(events.KindOutcome), "svc"))
	_ = d.DoubleAck(ctx) // lost or not, the outcome is there
}

func TestSameSeedSameRun(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		first, firstSeen := (&workload{t: t, runs: 30}).run(everything(seed))
		second, secondSeen := (&workload{t: t, runs: 30}).run(everything(seed))
		if diff := cmp.Diff(first, second); diff != "" {
			t.Fatalf("seed %d: two runs differ (-first +second):\n%s", seed, diff)
		}
		if diff := cmp.Diff(firstSeen, secondSeen); diff != "" {
			t.Fatalf("seed %d: followers of two runs saw different things:\n%s", seed, diff)
		}
		other, _ := (&workload{t: t, runs: 30}).run(everything(seed + 100))
		if cmp.Equal(first, other) {
			t.Errorf("seeds %d and %d gave the same run", seed, seed+100)
		}
	}
}

// What must hold whatever goes wrong: each subject is stored once, every
// follower sees the same, every command is answered and acked.
func TestFaultsLoseNothing(t *testing.T) {
	t.Parallel()
	const runs = 40
	happened := make(map[string]int)
	for seed := range uint64(10) {
		trace, seen := (&workload{t: t, runs: runs}).run(everything(seed))
		stored, acked := make(map[string]int), make(map[string]int)
		for _, line := range trace {
			fields := strings.Fields(line) // instant, what, [to whom,] subject, number
			what, subject := fields[1], fields[len(fields)-2]
			happened[what]++
			switch what {
			case "stored":
				stored[subject]++
			case "acked":
				acked[subject]++
			}
		}
		if len(stored) != 3*runs || len(acked) != runs {
			t.Errorf("seed %d: %d subjects stored, want %d; %d commands acked, want %d", seed, len(stored), 3*runs, len(acked), runs)
		}
		for subject, n := range stored {
			if n != 1 || acked[subject] > 1 {
				t.Errorf("seed %d: %s was stored %d times and acked %d times", seed, subject, n, acked[subject])
			}
		}
		withoutMark := func(seen []string) (records []string) {
			for _, s := range seen {
				if !strings.HasSuffix(s, "live=true") {
					records = append(records, s)
				}
			}
			return records
		}
		a, b := withoutMark(seen["follower0"]), withoutMark(seen["follower1"])
		if len(a) != 3*runs || !cmp.Equal(a, b) {
			t.Errorf("seed %d: the followers saw %d and %d records, want %d and the same", seed, len(a), len(b), 3*runs)
		}
		if marks := len(seen["follower0"]) - len(a); marks != 1 {
			t.Errorf("seed %d: a follower was marked live %d times", seed, marks)
		}
	}
	for _, fault := range []string{"lost", "unheard", "duplicated", "expired", "taken", "killed", "crash"} {
		if happened[fault] == 0 {
			t.Errorf("%q never happened, so this test shows nothing about it; what did: %v", fault, happened)
		}
	}
}
