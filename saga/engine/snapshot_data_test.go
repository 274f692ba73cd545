package engine

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"

	"segue/events"
)

// What a message carries is in a snapshot as it was stored, to the byte.
func TestSnapshotKeepsData(t *testing.T) {
	p, definition := benchPartition(t)
	for _, data := range []string{
		``, `null`, `{}`, `[]`, `""`, `0`, `false`, `{"b":1,"a":2}`, `{"a":{"b":[1,2.50,1e2,-0]}}`, `"\u00e9\u2028<&>é\/"`,
		`12345678901234567890.10`,
	} {
		fresh := newPartition(p.Engine, 0)
		fill(t, fresh.ledger, definition, "a", []byte(`{"url":"https://example.com/?a=<1>&b"}`), []byte(outputs), time.Now())
		s := fresh.snapshot()
		for i := range s.runs[0] {
			if s.runs[0][i].Subject.Kind == events.KindOutcome {
				s.runs[0][i].Event.Data = []byte(data)
			}
		}
		var text bytes.Buffer
		if err := fresh.encode(t.Context(), &text, s); err != nil {
			t.Errorf("%s: %v", data, err)
			continue
		}
		plain, err := io.ReadAll(s2.NewReader(&text))
		if err != nil || bytes.Count(plain, []byte("\n")) != 2 {
			t.Errorf("%s: a head and a run are not two lines (%v):\n%s", data, err, plain)
		}
		if want := `"data":` + data; data != "" && !strings.Contains(string(plain), want+"}") || data == "" && strings.Contains(string(plain), `completed.v1","data"`) {
			t.Errorf("%s is written as\n%s", data, plain)
		}
		load(t, fresh, plain)
		for i, got := range fresh.snapshot().runs[0] {
			want := s.runs[0][i]
			if got.Subject != want.Subject || got.Sequence != want.Sequence || !got.Stored.Equal(want.Stored) || got.Event.Type != want.Event.Type {
				t.Errorf("%s: message %d is read as %+v, want %+v", data, i, got, want)
			}
		}
	}
}

// load restores a partition from the text of a snapshot.
func load(t testing.TB, p *partition, text []byte) {
	t.Helper()
	p.ledger = newLedger()
	var packed bytes.Buffer
	w := s2.NewWriter(&packed)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Data.Put(t.Context(), snapshotName(0), &packed); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // of a load that would never end
	defer cancel()
	if _, err := p.load(ctx); err != nil && !errors.Is(err, errSnapshot) {
		t.Errorf("a snapshot is neither read nor passed over: %v\n%.500s", err, text)
	}
}

// FuzzSnapshot reads what might stand in the place of a snapshot: it is read or
// passed over, and what was read can be written again.
func FuzzSnapshot(f *testing.F) {
	p, definition := benchPartition(f)
	fill(f, p.ledger, definition, "a", []byte(`{"url":"https://example.com/a"}`), []byte(outputs), time.Unix(1_800_000_000, 0))
	p.ledger.gone.leaving = []departure{{run: "b", ended: time.Unix(1_800_000_000, 0), first: 1, last: 9}}
	p.ledger.orphans["c"] = 3
	var text bytes.Buffer
	if err := p.encode(f.Context(), &text, p.snapshot()); err != nil {
		f.Fatal(err)
	}
	plain, err := io.ReadAll(s2.NewReader(&text))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plain)
	for i := range 8 { // cut off, and with a line of another kind behind it
		f.Add(plain[:len(plain)*i/8])
	}
	head, _, _ := bytes.Cut(plain, []byte("\n"))
	for _, line := range []string{`{}`, `null`, `[]`, `{"run":"x"}`, `{"run":"x","ended":"2026-03-14T15:09:26Z"}`, `{"messages":[{"subject":"saga.run.00.a.ended","event":{}}]}`} {
		f.Add(append(append(head[:len(head):len(head)], '\n'), line...))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p := newPartition(p.Engine, 0)
		load(t, p, text)
		if err := p.encode(t.Context(), io.Discard, p.snapshot()); err != nil {
			t.Errorf("what was read cannot be written: %v\n%.500s", err, text)
		}
	})
}
