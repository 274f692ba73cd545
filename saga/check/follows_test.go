package check

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"segue/events"
	"segue/saga"
)

// recorded are definitions with policies other than those that a walk takes.
var recorded = []string{`
saga: five
deadline: 1m
steps:
  a: {service: s, undo: {retry: {attempts: 5, backoff: 1s}}, retry: {attempts: 5, backoff: 1s}, timeout: 5s}
  b: {service: s, needs: [a], undo: false, timeout: 7s}
  c: {service: s, needs: [a], undo: {retry: {attempts: 1}}, retry: {attempts: 1}, timeout: 5s}
  d: {service: s, needs: [b, c], undo: true, with: {n: "${steps.c.n}"}, timeout: 5s}
`, `
saga: pivot
deadline: 1m
steps:
  a: {service: s, undo: {retry: {attempts: 2}}, timeout: 5s}
  b: {service: s, needs: [a], pivot: true, retry: {attempts: unlimited, max: 1s}, timeout: 5s}
  c: {service: s, needs: [b], retry: {attempts: unlimited, max: 1s}, timeout: 5s}
  d: {service: s, needs: [b], retry: {attempts: unlimited, max: 1s}, timeout: 5s}
`}

// TestFollows records runs that go as chance has it, two orchestrators at work one of
// which reads late, and finds them all in the graph. One message taken out or put
// elsewhere, and the run is not there any more, or only if that makes no difference.
func TestFollows(t *testing.T) {
	t.Parallel()
	const seed, runs = 1, 1000
	t.Log("seed", seed)
	for _, text := range recorded {
		d := parse(t, text)
		g, err := NewGraph(d)
		if err != nil {
			t.Fatal(err)
		}
		random := rand.New(rand.NewPCG(seed, 2))
		endings, found, longest := make(map[saga.Status]int), 0, 0
		for range runs {
			entries, status := record(t, d, random)
			if err := g.Follows(entries); err != nil {
				t.Fatalf("%v\n%s", err, listing(entries))
			}
			endings[status]++
			longest = max(longest, len(entries))
			i := 1 + random.IntN(len(entries)-1)
			without := append(entries[:i:i], entries[i+1:]...)
			if err := g.Follows(without); errors.Is(err, ErrStrays) {
				found++
			}
		}
		states, steps := g.Size()
		t.Logf("%s: %d states, %d steps; runs %v, the longest of %d messages; %d of %d without one message stray",
			d.Name, states, steps, endings, longest, found, runs)
		if found < runs/2 || endings[saga.StatusCompleted] == 0 || endings[saga.StatusCompensated] == 0 {
			t.Errorf("%s: these runs show little", d.Name)
		}
	}
}

// record drives a run to its end, as chance has it.
func record(t testing.TB, d *saga.Definition, random *rand.Rand) ([]events.Entry, saga.Status) {
	t.Helper()
	now := epoch
	started := saga.NewStarted(d, events.Event{ID: fmt.Sprint(random.Uint64()), Source: "/t", Data: []byte(`{}`)}, 16, now)
	started.Stored, started.Sequence = now, 1
	entries := []events.Entry{started}
	run, err := saga.Begin(d, started)
	if err != nil {
		t.Fatal(err)
	}
	behind := run.Clone() // what the second orchestrator has read
	taken := make(map[events.Subject]bool)
	store := func(e events.Entry) {
		if !taken[e.Subject] {
			taken[e.Subject] = true
			e.Stored, e.Sequence = now, uint64(len(entries)+1)
			entries = append(entries, e)
			run.Apply(e)
		}
	}
	for range 10_000 {
		if run.Ended() {
			return entries, run.Status()
		}
		now = now.Add(time.Duration(random.IntN(1000)) * time.Millisecond)
		switch random.IntN(20) {
		case 0:
			store(saga.NewSignal(events.SignalCancel, started, "", now))
		case 1, 2, 3:
			for _, e := range behind.Decide(now).Append {
				store(e)
			}
			behind = run.Clone()
		case 4:
			if next := run.View().NextRetry; next != "" {
				store(saga.NewSignal(next, started, "", now))
			}
		case 5, 6, 7, 8, 9, 10:
			if running := outcomes(run); len(running) > 0 {
				store(running[random.IntN(len(running))])
			}
		default:
			if decided := run.Decide(now).Append; len(decided) > 0 {
				store(decided[random.IntN(len(decided))])
			}
		}
	}
	t.Fatalf("the run does not end\n%s", listing(entries))
	return nil, ""
}

// outcomes returns what running attempts may be answered.
func outcomes(r *saga.Run) []events.Entry {
	var list []events.Entry
	for i := range r.Definition.Steps {
		for _, undo := range []bool{false, true} {
			standing := r.Do(i)
			if undo {
				standing = r.Undo(i)
			}
			if standing.Phase != saga.PhaseRunning {
				continue
			}
			for _, what := range []what{completed, completed, completed, failed, failed, failed, refused, lost} {
				e := message{what: what, step: int16(i), undo: undo}.entry(r, 0)
				e.Event.ID = fmt.Sprint(i, what)
				if what == completed && r.Definition.Steps[i].Name == "c" && len(r.ID)%2 == 0 {
					e.Event.Data = []byte(`{"n": 1}`)
				}
				list = append(list, e)
			}
		}
	}
	return list
}

func listing(entries []events.Entry) string {
	var b strings.Builder
	for i, e := range entries {
		fmt.Fprintf(&b, "%d %s %s %s\n", i+1, e.Subject, e.Event.Type, e.Event.Data)
	}
	return b.String()
}

// TestFollowsRefuses holds what is no run of the definition at all.
func TestFollowsRefuses(t *testing.T) {
	t.Parallel()
	g, err := NewGraph(parse(t, recorded[0]))
	if err != nil {
		t.Fatal(err)
	}
	other, _ := record(t, parse(t, recorded[1]), rand.New(rand.NewPCG(1, 1)))
	if err := g.Follows(other); !errors.Is(err, saga.ErrNotStarted) {
		t.Errorf("a run of another definition: %v", err)
	}
	if err := g.Follows(nil); !errors.Is(err, ErrStrays) {
		t.Errorf("no messages: %v", err)
	}
	wide, err := load(t, "testdata/good/wide.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newGraph(wide, 1000); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a definition with many states: %v", err)
	}
	var flaw *Flaw
	if _, err := NewGraph(parse(t, "saga: x\nsteps: {a: {service: s}}")); !errors.As(err, &flaw) {
		t.Errorf("a definition that is refused: %v", err)
	}
}

// BenchmarkFollows measures a message of a recorded run.
func BenchmarkFollows(b *testing.B) {
	d := parse(b, recorded[0])
	g, err := NewGraph(d)
	if err != nil {
		b.Fatal(err)
	}
	var entries []events.Entry
	for seed := uint64(1); len(entries) < 20; seed++ {
		entries, _ = record(b, d, rand.New(rand.NewPCG(seed, 1)))
	}
	messages := 0
	for b.Loop() {
		if err := g.Follows(entries); err != nil {
			b.Fatal(err)
		}
		messages += len(entries)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(messages), "ns/message")
}
