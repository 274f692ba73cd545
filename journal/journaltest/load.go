package journaltest

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"segue/events"
	"segue/journal"
)

var loadTests = []test{
	{"nothing is loaded where nothing is", loadsNothing},
	{"what is loaded is what is followed", loadsWhatIsFollowed},
	{"hostile headers come back as they are", loadsHostileHeaders},
	{"a run of many messages is loaded whole", loadsManyMessages},
	{"a run of large messages is loaded whole", loadsLargeMessages},
	{"what was appended is loaded at once", loadsWhatWasAppended},
	{"starts and strange subjects are not loaded", refusesToLoad},
}

func loadsNothing(b *bench) {
	b.append(b.started("a"), archived("d", "a", "1"), definition("d", "text"))
	for _, filter := range []string{
		events.RunFilter("none"), b.started("none").Subject, events.AllRejected,
		events.HistoryFilter("none"), events.HistorySubject("none", "completed", "a").String(),
		events.DefinitionSubject("none").String(), events.AllSchedules, events.ScheduleSubject("none", "none").String(),
	} {
		if got := b.load(filter); len(got) != 0 {
			b.Errorf("%s: loaded %v, want nothing", filter, subjectsOf(got))
		}
	}
}

func loadsWhatIsFollowed(b *bench) {
	for step := range 3 { // so that the messages of a run do not lie together
		for _, id := range runs(20) {
			b.append(b.command(id, "svc", fmt.Sprint("step", step), 1))
		}
	}
	for n := range 4 {
		run, other := fmt.Sprint("run-", n), fmt.Sprint("other-", n)
		b.append(archived("d", run, "d"), archived("e", run, "e"), archived("d", other, "other"))
		b.append(definition("d", fmt.Sprint(n)), definition("e", fmt.Sprint(n)))
		b.append(schedule("d", fmt.Sprint("s-", n), "d"), schedule("e", fmt.Sprint("s-", n%2), fmt.Sprint(n)))
		b.append(message(events.Subject{Kind: events.KindRejected, Definition: "d", Start: fmt.Sprint(n)}))
	}
	for filter, count := range map[string]int{
		events.AllRuns: 60, events.RunFilter("run-7"): 3, "saga.run.*.*.command.svc.step1.1": 20,
		b.command("run-7", "svc", "step1", 1).Subject: 1,
		events.AllRejected:                            4, events.Subject{Kind: events.KindRejected, Definition: "d", Start: "2"}.String(): 1,
		events.AllHistory: 12, "saga.history.d.completed.*": 8, events.HistoryFilter("run-2"): 2, events.HistorySubject("d", "completed", "run-2").String(): 1,
		events.AllSchedules: 6, "saga.schedule.e.*": 2, events.ScheduleSubject("d", "s-3").String(): 1,
		events.AllDefinitions: 8, events.DefinitionSubject("e").String(): 4,
	} {
		got, want := b.load(filter), b.replay(filter)
		if len(got) != count {
			b.Errorf("%s: loaded %d messages, want %d", filter, len(got), count)
		}
		if !slices.EqualFunc(got, want, sameRecord) {
			b.Errorf("%s: loaded\n  %v, followed\n  %v", filter, got, want)
		}
	}
}

func sameRecord(a, b journal.Record) bool {
	return a.Subject == b.Subject && a.Sequence == b.Sequence && a.Stored.Equal(b.Stored) && !a.Live && !b.Live &&
		bytes.Equal(a.Data, b.Data) && maps.EqualFunc(a.Header, b.Header, slices.Equal)
}

// loadsHostileHeaders stores what looks like a broker's own words.
func loadsHostileHeaders(b *bench) {
	hostile := b.started("a")
	hostile.Data = nil
	hostile.Header = events.Header{
		"Status": {"204"}, "Description": {"EOB"},
		"Nats-Num-Pending": {"0"}, "Nats-Last-Sequence": {"7"}, "Nats-Subject": {"saga.run.00.b.started", "x"},
		"Nats-Sequence": {"1000000"}, "Nats-Time-Stamp": {"never"}, "Nats-Stream": {"OTHER"}, "nats-subject": {"small"},
	}
	none := hostile
	none.Subject = b.command("a", "svc", "step", 1).Subject
	none.Header = events.Header{"Status": {"404"}, "Description": {"Message Not Found"}}
	bare := events.Message{Subject: b.command("a", "svc", "step", 2).Subject}
	b.append(hostile, none, bare, b.ended("a"))
	history := archived("d", "a", "1")
	history.Data, history.Header = nil, maps.Clone(hostile.Header)
	b.append(history, archived("e", "a", "2"))
	for filter, want := range map[string][]events.Message{
		events.RunFilter("a"):     {hostile, none, bare, b.ended("a")},
		hostile.Subject:           {hostile},
		none.Subject:              {none},
		bare.Subject:              {bare},
		events.HistoryFilter("a"): {history, archived("e", "a", "2")},
	} {
		got := b.load(filter)
		if len(got) != len(want) {
			b.Errorf("%s: loaded %v, want %d messages", filter, got, len(want))
			continue
		}
		for i, r := range got {
			if m := want[i]; r.Subject != m.Subject || !bytes.Equal(r.Data, m.Data) || !maps.EqualFunc(r.Header, m.Header, slices.Equal) {
				b.Errorf("%s: message %d is %+v, want %+v", filter, i, r, m)
			}
		}
		if !slices.EqualFunc(got, b.replay(filter), sameRecord) {
			b.Errorf("%s: loaded %v, and followed something else", filter, got)
		}
	}
}

func loadsManyMessages(b *bench) {
	const many = 1500 // more than a broker sends in one answer
	messages := make([]events.Message, many)
	for i := range messages {
		messages[i] = b.command("a", "svc", "step", i+1)
	}
	b.append(messages...)
	if got, want := b.load(events.RunFilter("a")), messages; !slices.Equal(subjectsOf(got), subjectsOfMessages(want)) {
		b.Errorf("loaded %d messages of the run, want %d in order", len(got), len(want))
	}
}

func subjectsOfMessages(messages []events.Message) []string {
	subjects := make([]string, len(messages))
	for i, m := range messages {
		subjects[i] = m.Subject
	}
	return subjects
}

func loadsLargeMessages(b *bench) {
	const many = 20
	for i := range many {
		m := b.command("a", "svc", "step", i+1)
		m.Data = bytes.Repeat([]byte{byte(i)}, 900<<10)
		b.append(m)
	}
	got := b.load(events.RunFilter("a"))
	if len(got) != many {
		b.Fatalf("loaded %d messages, want %d", len(got), many)
	}
	for i, r := range got {
		if len(r.Data) != 900<<10 || r.Data[0] != byte(i) || r.Data[len(r.Data)-1] != byte(i) {
			b.Errorf("message %d has %d bytes of %d", i, len(r.Data), r.Data[0])
		}
	}
}

// loadsWhatWasAppended loads from several goroutines what each has just stored.
func loadsWhatWasAppended(b *bench) {
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			for i := range 40 {
				run := fmt.Sprintf("w%d-%d", w, i)
				if err := b.j.Append(b.ctx, b.started(run), b.ended(run)); err != nil {
					b.Errorf("append: %v", err)
					return
				}
				for filter, want := range map[string]int{events.RunFilter(run): 2, b.ended(run).Subject: 1} {
					if got, err := b.j.Load(b.ctx, filter); err != nil || len(got) != want {
						b.Errorf("%s: loaded %v, %v, want %d messages", filter, subjectsOf(got), err, want)
					}
				}
			}
		})
	}
	all.Wait()
}

func refusesToLoad(b *bench) {
	b.append(start("ingest", "1"))
	for _, filter := range []string{events.AllStarts, "saga.start.ingest", "elsewhere.>", ""} {
		if got, err := b.j.Load(b.ctx, filter); err == nil {
			b.Errorf("load of %q: %v and no error", filter, got)
		}
		if _, err := b.j.Follow(b.ctx, filter, 0); err == nil {
			b.Errorf("follow %q: no error", filter)
		}
	}
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	_, err := b.j.Load(ctx, events.AllRuns)
	b.wantErr(err, "load with a context that is done", context.Canceled)
}
