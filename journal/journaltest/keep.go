package journaltest

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"segue/events"
	"segue/journal"
)

var keepTests = []test{
	{"the history is written once", historyWrittenOnce},
	{"of several that keep a run one does", historyHasOneWinner},
	{"what has left the history can be kept again", historyForgets},
	{"the oldest of the history leave when there is no room", historyMakesRoom},
	{"the newest definitions stay", keepsNewestDefinitions},
	{"the newest of each schedule stays", keepsNewestSchedules},
	{"history and definitions are followed", followsWhatIsKept},
	{"roots do not mix", keepsRootsApart},
}

func dataOf(records []journal.Record) []string {
	data := make([]string, len(records))
	for i, r := range records {
		data[i] = string(r.Data)
	}
	return data
}

// historyWrittenOnce holds for one message and for many in a call, across a
// restart, and whatever a message says of itself.
func historyWrittenOnce(b *bench) {
	first, second := archived("d", "a", "first"), archived("d", "a", "second")
	second.Header.Set(events.HeaderMsgID, "another")
	second.Header.Set("Nats-Expected-Last-Subject-Sequence", "1")
	b.append(first)
	b.append(second)
	b.append(archived("d", "b", "first"), second, archived("d", "b", "second"), second, archived("d", "c", "first"))
	b.appendRestarted(archived("d", "e", "first"))
	b.append(second, archived("d", "c", "second"))
	if got, want := dataOf(b.load(events.AllHistory)), []string{"first", "first", "first", "first"}; !slices.Equal(got, want) {
		b.Errorf("the history holds %q, want %q", got, want)
	}
	b.append(archived("d", "ab", "other"), archived("e", "a", "of another definition"))
	if got, want := dataOf(b.load(events.HistoryFilter("a"))), []string{"first", "of another definition"}; !slices.Equal(got, want) {
		b.Errorf("of run a is kept %q, want %q", got, want)
	}
	for _, r := range b.load(events.HistoryFilter("a"))[:1] {
		if !maps.EqualFunc(r.Header, first.Header, slices.Equal) {
			b.Errorf("the header of what is kept is %v, want %v", r.Header, first.Header)
		}
	}
}

func historyHasOneWinner(b *bench) {
	const writers, each = 4, 100
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := 0; i < each; i += w + 1 { // calls of other sizes
				var call []events.Message
				for n := i; n < min(i+w+1, each); n++ {
					call = append(call, archived("d", fmt.Sprint("run-", n), fmt.Sprint(w)))
				}
				if err := b.j.Append(b.ctx, call...); err != nil {
					b.Errorf("append: %v", err)
				}
			}
		})
	}
	all.Wait()
	got := b.load(events.AllHistory)
	subjects := subjectsOf(got)
	slices.Sort(subjects)
	if n := len(slices.Compact(subjects)); n != each || len(got) != each {
		b.Errorf("%d messages on %d subjects are kept of %d runs", len(got), n, each)
	}
}

// historyForgets: a run that was kept so long ago that it made room is like one
// that never was.
func historyForgets(b *bench) {
	if b.f.OpenLimited == nil {
		b.Skip("a full history is not tested: the factory has no OpenLimited")
	}
	b = newBenchOf(b.T, b.f, b.f.OpenLimited(b.T, 256<<10))
	b.append(archived("d", "a", "first"))
	for i := range 40 {
		m := archived("d", fmt.Sprint("run-", i), "")
		m.Data = make([]byte, 16<<10)
		b.append(m)
	}
	if got := b.load(events.HistoryFilter("a")); len(got) != 0 {
		b.Fatalf("the oldest is still there: %v", got)
	}
	b.append(archived("d", "a", "again"))
	if got := dataOf(b.load(events.HistoryFilter("a"))); !slices.Equal(got, []string{"again"}) {
		b.Errorf("of the run is kept %q", got)
	}
}

func historyMakesRoom(b *bench) {
	if b.f.OpenLimited == nil {
		b.Skip("a full history is not tested: the factory has no OpenLimited")
	}
	const limit = 256 << 10
	b = newBenchOf(b.T, b.f, b.f.OpenLimited(b.T, limit))
	const many, size = 100, 16 << 10
	for i := range many {
		m := archived("d", fmt.Sprint("run-", i), fmt.Sprint(i))
		m.Data = make([]byte, size)
		b.append(m)
	}
	got := b.load(events.AllHistory)
	if n := len(got); n < 8 || n > limit/size {
		b.Fatalf("%d messages of %d bytes are in %d bytes", n, size, limit)
	}
	for i, r := range got {
		if want := uint64(many - len(got) + i + 1); r.Sequence != want {
			b.Errorf("message %d of those kept has sequence %d, want the newest: %d", i, r.Sequence, want)
		}
	}
	if !slices.EqualFunc(got, b.replay(events.AllHistory), sameRecord) {
		b.Error("followed is something else than loaded")
	}
}

func keepsNewestDefinitions(b *bench) {
	b.append(definition("other", "alone"))
	const many = 40
	var applied []string
	for i := range many {
		text := fmt.Sprint("text ", i)
		b.append(definition("d", text))
		applied = append(applied, text)
	}
	got := dataOf(b.load(events.DefinitionSubject("d").String()))
	if n := len(got); n < 2 || n >= many || !slices.Equal(got, applied[many-n:]) {
		b.Errorf("of %d definitions stay %q, want the newest few in order", many, got)
	}
	if got := dataOf(b.load(events.DefinitionSubject("other").String())); !slices.Equal(got, []string{"alone"}) {
		b.Errorf("the definitions of another name are %q", got)
	}
}

// keepsNewestSchedules holds across a restart, and for who follows from the beginning.
func keepsNewestSchedules(b *bench) {
	for i := range 20 {
		b.append(schedule("d", "a", fmt.Sprint("a", i)), schedule("d", "b", fmt.Sprint("b", i)), schedule("e", "a", fmt.Sprint("e", i)))
	}
	b.appendRestarted(schedule("d", "b", "b20"))
	if got, want := dataOf(b.load(events.AllSchedules)), []string{"a19", "e19", "b20"}; !slices.Equal(got, want) {
		b.Errorf("the schedules are %q, want %q", got, want)
	}
	if !slices.EqualFunc(b.load(events.AllSchedules), b.replay(events.AllSchedules), sameRecord) {
		b.Error("followed is something else than loaded")
	}
	feed := b.follow(events.AllSchedules, b.load(events.AllSchedules)[2].Sequence)
	b.wantRecords(feed, mark)
	b.append(schedule("d", "a", "a20"))
	b.wantRecords(feed, schedule("d", "a", "").Subject)
}

func followsWhatIsKept(b *bench) {
	history, definitions := b.follow(events.AllHistory, 0), b.follow(events.AllDefinitions, 0)
	b.wantRecords(history, mark)
	b.wantRecords(definitions, mark)
	first, second := archived("d", "a", "1"), archived("d", "b", "2")
	b.append(first, second)
	b.append(definition("d", "1"), definition("d", "2"))
	seen := b.wantRecords(history, first.Subject, second.Subject)
	b.wantRecords(definitions, definition("d", "1").Subject, definition("d", "2").Subject)
	behind := b.follow(events.AllHistory, seen[0].Sequence)
	if r := b.next(behind); string(r.Data) != "2" {
		b.Errorf("behind the first message comes %+v", r)
	}
	b.wantRecords(behind, mark)
}

func keepsRootsApart(b *bench) {
	b.append(b.started("a"), archived("d", "a", "1"), definition("d", "text"), schedule("d", "a", "1"), start("d", "1"),
		message(events.Subject{Kind: events.KindRejected, Definition: "d", Start: "1"}))
	for filter, want := range map[string]string{
		events.AllRuns: b.started("a").Subject, events.AllHistory: archived("d", "a", "1").Subject,
		events.AllDefinitions: definition("d", "").Subject, events.AllSchedules: schedule("d", "a", "").Subject, events.AllRejected: "saga.rejected.d.1",
	} {
		if got := subjectsOf(b.load(filter)); !slices.Equal(got, []string{want}) {
			b.Errorf("%s: loaded %v, want %s", filter, got, want)
		}
	}
}
