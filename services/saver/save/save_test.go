package save

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"segue/document"
	"segue/participant"
)

func TestSaveInsertsUpdatesAndLeavesAlone(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		b := newBench(t, url)
		first := b.mustSave("r1", b.keyed(`{"id":"a","v":1}`, `{"id":"b","v":1}`, `{"id":"c","v":1}`))
		if want := (Output{Collection: "things", Inserted: 3, Total: 3, Database: b.db.URL()}); first != want {
			t.Errorf("first save: %+v, want %+v", first, want)
		}
		second := b.mustSave("r2", b.keyed(`{"id":"c","v":1}`, `{"id":"b","v":2}`, `{"id":"d","v":2}`))
		if want := (Output{Collection: "things", Inserted: 1, Updated: 1, Unchanged: 1, Total: 3, Database: b.db.URL()}); second != want {
			t.Errorf("second save: %+v, want %+v", second, want)
		}
		got := b.rows("SELECT key, data, run_id, ordinal FROM records WHERE collection = 'things' ORDER BY key")
		want := []string{
			`a {"id":"a","v":1} r1 1`,
			`b {"id":"b","v":2} r2 2`,
			`c {"id":"c","v":1} r1 3`,
			`d {"id":"d","v":2} r2 3`,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		got = b.rows("SELECT run_id, collection, url, media_type, size, fetched_at, records FROM documents ORDER BY run_id")
		want = []string{
			"r1 things https://example.org/things.json application/json 51 2026-01-02T03:04:05.000000Z 3",
			"r2 things https://example.org/things.json application/json 51 2026-01-02T03:04:05.000000Z 3",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestSavedAtIsUTC(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		b := newBench(t, url)
		b.now = func() time.Time {
			return time.Date(2026, 7, 1, 1, 30, 0, 123456789, time.FixedZone("east", 2*60*60))
		}
		b.mustSave("r", b.input(`1`))
		if got := b.rows("SELECT saved_at FROM records"); !slices.Equal(got, []string{"2026-06-30T23:30:00.123456Z"}) {
			t.Errorf("saved_at is %v", got)
		}
	})
}

func TestSameDocumentAgainChangesNothing(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		b := newBench(t, url)
		in := b.input(`{"a":1}`, `[2]`, `"three"`, `4`, `null`)
		b.mustSave("r1", in)
		documents, records := b.rows(allDocuments), b.rows(allRecords)
		out := b.mustSave("r2", in)
		if out.Unchanged != 5 || out.Total != 5 {
			t.Errorf("second save: %+v, want 5 unchanged", out)
		}
		if diff := cmp.Diff(documents, b.rows(allDocuments)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(records, b.rows(allRecords)); diff != "" {
			t.Error(diff)
		}
	})
}

// TestSharedDataOutlivesItsMaker undoes a run whose data another run has found
// there and left alone. The other run has completed: its data has to stay.
func TestSharedDataOutlivesItsMaker(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		b := newBench(t, url)
		b.mustSave("maker", b.input(`1`, `2`))
		b.mustSave("sharer", b.input(`1`, `2`))
		b.mustTakeBack("maker")
		got := b.rows("SELECT key, data, run_id FROM records ORDER BY key")
		if want := []string{"1 1 sharer", "2 2 sharer"}; !slices.Equal(got, want) {
			t.Errorf("records are %q, want %q", got, want)
		}
		if got := b.rows("SELECT run_id FROM documents"); !slices.Equal(got, []string{"sharer"}) {
			t.Errorf("documents are of %q, want of sharer", got)
		}
		b.mustTakeBack("sharer")
		b.empty()
	})
}

func TestEmptyDocument(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		b := newBench(t, url)
		if out := b.mustSave("r", b.input()); out.Total != 0 || len(b.rows(allDocuments)) != 1 {
			t.Errorf("save: %+v with %d documents, want none of a document", out, len(b.rows(allDocuments)))
		}
		b.mustTakeBack("r")
		b.empty()
	})
}

func TestLateDoDoesNothing(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		b := newBench(t, url)
		b.mustTakeBack("r")
		b.mustTakeBack("r")
		for range 2 {
			_, err := b.save("r", b.input(`1`))
			if e := failed(t, err); !errors.Is(err, ErrUndone) || !e.Permanent || e.Unknown || e.Code != CodeUndone {
				t.Fatalf("late do: %v (%+v), want a permanent ErrUndone", err, e)
			}
		}
		b.empty()
	})
}

func TestDoAgainAnswersTheSame(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		b := newBench(t, url)
		in := b.input(`1`, `2`)
		first := b.mustSave("r1", in)
		b.mustSave("r2", b.input(`8`, `9`))
		clear(b.docs.objects) // the records have expired
		records := b.rows(allRecords)
		if again := b.mustSave("r1", in); again != first {
			t.Errorf("do again: %+v, want %+v", again, first)
		}
		if diff := cmp.Diff(records, b.rows(allRecords)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestDoAfterUndoIsRefused(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		b := newBench(t, url)
		in := b.input(`1`)
		b.mustSave("r", in)
		b.mustTakeBack("r")
		b.mustTakeBack("r")
		if _, err := b.save("r", in); !errors.Is(err, ErrUndone) {
			t.Errorf("do after undo: %v, want ErrUndone", err)
		}
		b.empty()
	})
}

// TestStepsOfARunAreApart saves one key in two steps of a run and undoes the first.
func TestStepsOfARunAreApart(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		b := newBench(t, url)
		for step, in := range map[string]Input{"x": b.input(`1`), "y": b.input(`1`, `2`)} {
			if _, err := b.do(t.Context(), participant.Command[Input]{Run: "r", Step: step, Input: in}); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.undo(t.Context(), participant.Undo[Input, Output]{Run: "r", Step: "x"}); err != nil {
			t.Fatal(err)
		}
		if got := b.rows("SELECT key FROM records ORDER BY key"); !slices.Equal(got, []string{"1", "2"}) {
			t.Errorf("keys are %v, want 1 and 2", got)
		}
	})
}

func TestBadRecordsLeaveNothing(t *testing.T) {
	deep := strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1)
	tests := []struct {
		name    string
		records []string
		keyed   bool
		code    string
		says    string
		only    string // the database that refuses it
	}{
		{"not JSON", []string{`1`, `{`}, false, CodeBadRecord, "record 2 is not one JSON value", ""},
		{"blank line", []string{`1`, ``}, false, CodeBadRecord, "record 2 is not", ""},
		{"two values", []string{`1 2`}, false, CodeBadRecord, "record 1 is not", ""},
		{"duplicate name", []string{`{"a":1,"a":2}`}, false, CodeBadRecord, "record 1 is not", ""},
		{"not UTF-8", []string{"\"\xff\""}, false, CodeBadRecord, "record 1 is not", ""},
		{"too deep", []string{deep}, false, CodeBadRecord, "record 1 is nested deeper than 1000", ""},
		{"too large", []string{`1`, `"` + strings.Repeat("x", MaxRecord) + `"`}, false, CodeTooLarge, "record 2 is over 16777216 bytes", ""},
		{"null character", []string{`1`, `{"a":"\\\u0000"}`}, false, CodeBadRecord, `record 2 has the character \u0000`, "postgres"},
		{"number out of range", []string{`1`, `2`, `1e200000`}, false, CodeBadRecord, "record 3 is refused by PostgreSQL", "postgres"},
		{"no key", []string{`{"id":1}`, `{}`}, true, CodeBadKey, "record 2: key /id is missing", ""},
		{"no object", []string{`7`}, true, CodeBadKey, "record 1: key /id is missing", ""},
		{"null key", []string{`{"id":null}`}, true, CodeBadKey, "record 1: key /id is null", ""},
		{"object key", []string{`{"id":{}}`}, true, CodeBadKey, "record 1: key /id is an object", ""},
		{"array key", []string{`{"id":[]}`}, true, CodeBadKey, "record 1: key /id is an array", ""},
		{"long key", []string{`{"id":"` + strings.Repeat("k", MaxKey+1) + `"}`}, true, CodeBadKey, "has 2001 bytes", ""},
		{"null character in key", []string{`{"id":"\u0000"}`}, true, "", `record 1`, ""},
		{"same key", []string{`{"id":1}`, `{"id":2}`, `{"id":"2"}`}, true, CodeDuplicateKey, `records 2 and 3 have the same key /id: "2"`, ""},
	}
	each(t, func(t *testing.T, url string) {
		b := newBench(t, url)
		for _, test := range tests {
			in := b.input(test.records...)
			if test.keyed {
				in = b.keyed(test.records...)
			}
			_, err := b.save(test.name, in)
			if test.only != "" && !strings.HasPrefix(url, test.only) {
				if err != nil {
					t.Errorf("%s: %v", test.name, err)
				}
				b.mustTakeBack(test.name)
				continue
			}
			e := failed(t, err)
			if !e.Permanent || e.Unknown || !strings.Contains(err.Error(), test.says) || (test.code != "" && e.Code != test.code) {
				t.Errorf("%s: %.200q (%s, permanent %t, unknown %t), want %q", test.name, err, e.Code, e.Permanent, e.Unknown, test.says)
			}
		}
		b.empty()
		if got := b.rows("SELECT run_id FROM barriers WHERE op = 'do' AND run_id = 'not JSON'"); len(got) != 0 {
			t.Errorf("a failed do left a barrier: %v", got)
		}
	})
}

func TestTooManyRecords(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		b := newBench(t, url)
		b.cfg.MaxRecords = 2
		b.mustSave("two", b.input(`1`, `2`))
		_, err := b.save("three", b.input(`1`, `2`, `3`))
		if e := failed(t, err); !e.Permanent || e.Code != CodeTooLarge {
			t.Errorf("three records: %v, want %s", err, CodeTooLarge)
		}
	})
}

func TestKeysAreTheTextOfTheirValues(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		b := newBench(t, url)
		b.mustSave("r", b.keyed(`{"id":"\u00e9 /"}`, `{"id":1.50}`, `{"id":true}`, `{"id":-0}`, `{"id":""}`))
		got := b.rows("SELECT key FROM records ORDER BY ordinal")
		if want := []string{"é /", "1.50", "true", "-0", ""}; !slices.Equal(got, want) {
			t.Errorf("keys are %q, want %q", got, want)
		}
	})
}

func TestRecordsThatAreGone(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		b := newBench(t, url)
		in := b.input(`1`)
		clear(b.docs.objects)
		_, err := b.save("gone", in)
		if e := failed(t, err); e.Permanent || e.Code != CodeNoRecords {
			t.Errorf("expired records: %v, want one that may pass, %s", err, CodeNoRecords)
		}
		// The store finds out at the end that these are not the bytes it was asked for.
		b.docs.wrap = func(r io.Reader) io.Reader { return io.MultiReader(r, broken{document.ErrChanged}) }
		_, err = b.save("changed", b.input(`1`, `2`))
		if e := failed(t, err); e.Permanent || e.Unknown || !errors.Is(err, document.ErrChanged) {
			t.Errorf("changed records: %v, want an ErrChanged that may pass", err)
		}
		b.docs.wrap = func(r io.Reader) io.Reader { return io.MultiReader(r, broken{io.ErrUnexpectedEOF}) }
		_, err = b.save("lost", b.input(`1`, `2`))
		if e := failed(t, err); e.Permanent || e.Unknown {
			t.Errorf("lost connection to the store: %v (%+v), want one that may pass", err, e)
		}
		b.empty()
		b.docs.wrap = nil
		b.mustSave("lost", b.input(`1`, `2`))
	})
}

// broken is a reader that fails.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }
