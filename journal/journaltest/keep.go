package journaltest

import (
	"fmt"
	"slices"

	"segue/events"
	"segue/journal"
)

var keepTests = []test{
	{"the history keeps several messages of a subject, in order", historyKeepsAll},
	{"the history drops what it has by its id", historyDropsDuplicates},
	{"the oldest of the history leave when there is no room", historyMakesRoom},
	{"the newest definitions stay", keepsNewestDefinitions},
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

func historyKeepsAll(b *bench) {
	var want []string
	for i := range 50 {
		id := fmt.Sprint(i)
		b.append(archived("d", "a", id))
		want = append(want, id)
	}
	if got := dataOf(b.load(events.HistoryFilter("a"))); !slices.Equal(got, want) {
		b.Errorf("the bucket holds %v, want %v", got, want)
	}
}

func historyDropsDuplicates(b *bench) {
	one, two := archived("d", "a", "one"), archived("d", "a", "two")
	b.append(one, two)
	b.append(one)
	b.append(two, archived("d", "a", "three"), one)
	elsewhere := archived("e", "a", "one") // an id counts below the root, not by subject
	b.append(elsewhere)
	without := archived("d", "a", "")
	delete(without.Header, events.HeaderMsgID)
	b.append(without, without)
	if got, want := dataOf(b.load(events.HistoryFilter("a"))), []string{"one", "two", "three", "", ""}; !slices.Equal(got, want) {
		b.Errorf("the bucket holds %q, want %q", got, want)
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

func followsWhatIsKept(b *bench) {
	history, definitions := b.follow(events.AllHistory, 0), b.follow(events.AllDefinitions, 0)
	b.wantRecords(history, mark)
	b.wantRecords(definitions, mark)
	first, second := archived("d", "a", "1"), archived("d", "a", "2")
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
	b.append(b.started("a"), archived("d", "a", "1"), definition("d", "text"), start("d", "1"),
		message(events.Subject{Kind: events.KindRejected, Definition: "d", Start: "1"}))
	for filter, want := range map[string]string{
		events.AllRuns: b.started("a").Subject, events.AllHistory: archived("d", "a", "1").Subject,
		events.AllDefinitions: definition("d", "").Subject, events.AllRejected: "saga.rejected.d.1",
	} {
		if got := subjectsOf(b.load(filter)); !slices.Equal(got, []string{want}) {
			b.Errorf("%s: loaded %v, want %s", filter, got, want)
		}
	}
}
