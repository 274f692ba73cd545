package engine

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"segue/events"
	"segue/saga"
	"segue/sagas"
)

// maxRunMemory is what a running run of the shipped saga may take of an
// orchestrator's memory, in bytes, besides the data it carries.
const maxRunMemory = 16 << 10

// TestMemoryOfARun fills a ledger with runs of the shipped saga, each waiting for
// its last step, and measures.
func TestMemoryOfARun(t *testing.T) {
	definitions, err := sagas.All()
	if err != nil {
		t.Fatal(err)
	}
	const runs = 5_000
	input := []byte(`{"url":"https://example.com/documents/4711.json"}`)
	output := []byte(`{"unchanged":false,"document":{"bucket":"SAGA_DOCUMENTS","name":"5b0e4a9c-4d5f-5f6e-8a55-1c9d4b7e0f3a/fetch/1","sha256":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","size":1234},"format":"json","records":{"bucket":"SAGA_DOCUMENTS","name":"5b0e4a9c-4d5f-5f6e-8a55-1c9d4b7e0f3a/parse/1","sha256":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","size":1234}}`)
	before := heapNow()
	l := newLedger()
	now := time.Now()
	for i := range runs {
		fill(t, l, definitions[0], fmt.Sprint(i), input, output, now)
	}
	each := int(heapNow()-before) / runs
	t.Logf("%d running runs take %d bytes each, of which the data they carry is %d", runs, each, len(input)+4*len(output))
	if each > maxRunMemory {
		t.Errorf("a running run takes %d bytes, want at most %d", each, maxRunMemory)
	}
	runtime.KeepAlive(l)
}

// fill brings a run to the point where its last command is stored.
func fill(t testing.TB, l *ledger, d *saga.Definition, id string, input, output []byte, now time.Time) {
	start := events.Event{ID: id, Source: "/test", Type: events.TypeRunRequested, Data: append([]byte(nil), input...)}
	started := saga.NewStarted(d, start, 1, now)
	started.Sequence, started.Stored = 1, now
	if err := l.begin(d, started); err != nil {
		t.Fatal(err)
	}
	for sequence := uint64(2); ; {
		batch := l.decide(now, 1, func(*account) {})
		if len(batch) != 1 {
			t.Fatalf("%d messages are decided on, want 1", len(batch))
		}
		command := batch[0]
		command.Sequence, command.Stored = sequence, now
		l.apply(command)
		if command.Subject.Step == d.Steps[len(d.Steps)-1].Name {
			return
		}
		outcome := events.Entry{Subject: command.Subject.With(events.KindOutcome), Sequence: sequence + 1, Stored: now}
		outcome.Event = events.Event{ID: "outcome", Type: events.TypeStepCompleted, Data: append([]byte(nil), output...)}
		l.apply(outcome)
		sequence += 2
	}
}

func heapNow() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
