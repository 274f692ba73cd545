package engine

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"segue/document"
	"segue/events"
	"segue/journal"
	"segue/journal/memory"
	"segue/saga"
	"segue/sagas"
)

// outputs is what every step of the runs answers.
const outputs = `{"unchanged":false,"document":{"name":"x"},"format":"json","records":{"name":"y"}}`

// BenchmarkRestore reads snapshots of 625 running runs and 5,625 that have ended:
// a sixteenth of what an orchestrator is to be ready with within 2 s.
func BenchmarkRestore(b *testing.B) {
	const running, ended = 625, 5_625
	p, definition := benchPartition(b)
	input := []byte(`{"url":"https://example.com/documents/4711.json"}`)
	now := time.Now()
	for i := range running {
		fill(b, p.ledger, definition, fmt.Sprint(i), input, []byte(outputs), now)
	}
	for i := range uint64(ended) {
		p.ledger.gone.leaving = append(p.ledger.gone.leaving, departure{run: events.RunID("/test", fmt.Sprint(i)), ended: now, first: 10 * i, last: 10*i + 9})
	}
	var text bytes.Buffer
	if err := p.encode(b.Context(), &text, p.snapshot()); err != nil {
		b.Fatal(err)
	}
	if _, err := p.Data.Put(b.Context(), snapshotName(0), bytes.NewReader(text.Bytes())); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ReportMetric(float64(text.Len()), "bytes")
	for b.Loop() {
		p.ledger = newLedger()
		if _, err := p.load(b.Context()); err != nil {
			b.Fatal(err)
		}
		if len(p.ledger.runs) != running || len(p.ledger.gone.leaving) != ended {
			b.Fatalf("%d runs and %d ended ones were read", len(p.ledger.runs), len(p.ledger.gone.leaving))
		}
	}
}

func benchPartition(b testing.TB) (*partition, *saga.Definition) {
	b.Helper()
	d, err := sagas.Ingest()
	if err != nil {
		b.Fatal(err)
	}
	broker := memory.New(memory.Config{Partitions: 1})
	b.Cleanup(func() { broker.Close() })
	e, err := New(Config{
		ID: "bench", Journal: broker.Client("bench"), Data: document.NewMemory(document.DataBucket),
		Sagas: []*saga.Definition{d}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	if err := e.catalogue.publish(context.Background()); err != nil {
		b.Fatal(err)
	}
	e.partitions = 1
	if e.clock, err = journal.NewClock(context.Background(), e.Journal); err != nil {
		b.Fatal(err)
	}
	return newPartition(e, 0), d
}
