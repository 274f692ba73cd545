package save

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"segue/participant"
)

const thingsURL = "https://example.org/things.json"

// recipe is that of a run with an input.
func recipe(input string) Recipe { return Recipe{Definition: "digest-1", Input: []byte(input)} }

// made is input that says how it was made.
func (b *bench) made(r Recipe, records ...string) Input {
	in := b.keyed(records...)
	in.Recipe, in.ETag, in.LastModified = r, `"v1"`, "Fri, 02 Jan 2026 03:04:05 GMT"
	return in
}

func (b *bench) look(q Query) *Saved {
	b.t.Helper()
	a, err := catalog{b.db}.look(b.t.Context(), participant.Command[Query]{Run: "asks", Step: "look", Input: q})
	if err != nil {
		b.t.Fatal(err)
	}
	return a.Saved
}

func (b *bench) standsFor(q Query) string {
	b.t.Helper()
	if saved := b.look(q); saved != nil {
		return saved.Run
	}
	return ""
}

func TestCatalogKnowsWhatIsSaved(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		b := newBench(t, url)
		b.now = func() time.Time { return time.Date(2026, 1, 2, 3, 4, 6, 0, time.UTC) }
		r := recipe(`{"url":"` + thingsURL + `","key":"/id"}`)
		in := b.made(r, `{"id":"a"}`)
		q := Query{URL: thingsURL, Recipe: r}
		if got := b.look(q); got != nil {
			t.Errorf("before all: %+v, want nothing", got)
		}
		b.mustSave("r1", in)
		want := &Saved{
			Run: "r1", Collection: "things", SHA256: in.Document.SHA256, ETag: in.ETag, LastModified: in.LastModified,
			SavedAt: time.Date(2026, 1, 2, 3, 4, 6, 0, time.UTC),
		}
		if diff := cmp.Diff(want, b.look(q)); diff != "" {
			t.Error(diff)
		}
		for _, test := range []struct {
			what string
			q    Query
			want string
		}{
			{"the same collection by name", Query{URL: thingsURL, Collection: "things", Recipe: r}, "r1"},
			{"another collection", Query{URL: thingsURL, Collection: "others", Recipe: r}, ""},
			{"another URL", Query{URL: thingsURL + "?2", Recipe: r}, ""},
			{"credentials in the URL", Query{URL: "https://me:secret@example.org/things.json#x", Recipe: r}, "r1"},
			{"another order, force, headers", Query{URL: thingsURL, Recipe: recipe(`{"key" : "\/id", "force":true, "headers":{"a":"b"},"auth":{}}`)}, "r1"},
			{"another input", Query{URL: thingsURL, Recipe: recipe(`{"key":"/name"}`)}, ""},
			{"another definition", Query{URL: thingsURL, Recipe: Recipe{Definition: "digest-2", Input: r.Input}}, ""},
			{"no recipe", Query{URL: thingsURL}, ""},
			{"no URL", Query{Recipe: r}, ""},
		} {
			if got := b.standsFor(test.q); got != test.want {
				t.Errorf("%s: run %q, want %q", test.what, got, test.want)
			}
		}

		// What changes the collection hides it; what does not, and what is undone, does not.
		b.mustSave("r2", b.keyed(`{"id":"a"}`))
		if got := b.standsFor(q); got != "r1" {
			t.Errorf("behind a save that changed nothing: run %q, want r1", got)
		}
		b.mustSave("r3", b.keyed(`{"id":"b"}`))
		if got := b.standsFor(q); got != "" {
			t.Errorf("behind a save that changed something: run %q, want none", got)
		}
		b.mustTakeBack("r3")
		if got := b.standsFor(q); got != "r1" {
			t.Errorf("when that is undone: run %q, want r1", got)
		}
		b.mustTakeBack("r1")
		if got := b.standsFor(q); got != "" {
			t.Errorf("when it is undone itself: run %q, want none", got)
		}
	})
}

// TestHeirOfAChangeHidesEarlierSaves undoes a save that changed rows, whose change
// a later one then is the one to have made.
func TestHeirOfAChangeHidesEarlierSaves(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		b := newBench(t, url)
		r := recipe(`{}`)
		first := b.made(r, `{"id":"b"}`)
		b.mustSave("first", first)
		replacing := b.keyed(`{"id":"a"}`)
		replacing.Mode = ModeReplace
		b.mustSave("second", replacing)
		if out := b.mustSave("third", replacing); out.Unchanged != 1 || out.Deleted != 0 {
			t.Fatalf("third: %+v, want nothing changed", out)
		}
		b.mustTakeBack("second")
		if got := b.standsFor(Query{URL: thingsURL, Recipe: r}); got != "" {
			t.Errorf("run %s is said to stand, and third has taken its row away", got)
		}
		if out := b.mustSave("again", first); out.Skipped || out.Inserted != 1 {
			t.Errorf("again: %+v, want its row inserted", out)
		}
	})
}

func TestSameIsSkippedAndSaysSo(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		b := newBench(t, url)
		r := recipe(`{"url":"x","key":"/id"}`)
		in := b.made(r, `{"id":"a"}`, `{"id":"b"}`)
		b.mustSave("r1", in)
		tables := func() string {
			return fmt.Sprint(b.rows(allDocuments), b.rows(allRecords), b.rows("SELECT * FROM saves"), b.rows("SELECT * FROM undo_log"))
		}
		before := tables()

		elsewhere := in
		elsewhere.URL, elsewhere.Recipe = "https://example.org/copy.json", recipe(`{"url":"y","key":"/id"}`)
		elsewhere.Collection = "things"
		clear(b.docs.objects) // a skip needs no records
		want := Output{Collection: "things", Unchanged: 2, Total: 2, Database: b.db.URL(), Skipped: true, Run: "r1"}
		for range 2 {
			if out := b.mustSave("r2", elsewhere); out != want {
				t.Errorf("the same from elsewhere: %+v, want %+v", out, want)
			}
		}
		if got := tables(); got != before {
			t.Errorf("a skip changed tables: %s, were %s", got, before)
		}
		b.mustTakeBack("r2")
		if got := tables(); got != before || len(b.rows("SELECT * FROM skips")) != 0 {
			t.Errorf("the undo of a skip changed tables: %s, were %s", got, before)
		}

		in = b.made(r, `{"id":"a"}`, `{"id":"b"}`)
		in.Force = true
		if out := b.mustSave("r3", in); out.Skipped || out.Unchanged != 2 {
			t.Errorf("forced: %+v, want one that is done", out)
		}
	})
}

// TestSkippedRunInherits undoes a save for which others were skipped: what they
// were told is there stays there, until all of them are undone.
func TestSkippedRunInherits(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		b := newBench(t, url)
		in := b.made(recipe(`{}`), `{"id":"a"}`)
		b.mustSave("r1", in)
		first := b.mustSave("r2", in)
		b.mustSave("r3", in)
		for _, test := range []struct{ undo, heir string }{{"r1", "r2"}, {"r2", "r3"}} {
			b.mustTakeBack(test.undo)
			for _, table := range []string{"records", "documents", "saves"} {
				if got := b.rows("SELECT run_id FROM " + table); len(got) != 1 || got[0] != test.heir {
					t.Fatalf("behind the undo of %s, %s are of %v, want %s", test.undo, table, got, test.heir)
				}
			}
			if test.heir == "r2" {
				if again := b.mustSave("r2", in); again != first {
					t.Errorf("heir again: %+v, want %+v", again, first)
				}
			}
		}
		b.mustTakeBack("r3")
		b.empty()
	})
}

// TestSkipAndUndoAtOnce races skips with the undo of what they are skipped for,
// and with their own.
func TestSkipAndUndoAtOnce(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		b := newBench(t, url)
		in := b.made(recipe(`{}`), `{"id":"a"}`, `{"id":"b"}`)
		for round := range 12 {
			run := func(i int) string { return fmt.Sprintf("r%d-%d", round, i) }
			b.mustSave(run(0), in)
			var wg sync.WaitGroup
			for i := 1; i <= 3; i++ {
				wg.Go(func() {
					if _, err := b.save(run(i), in); err != nil {
						t.Errorf("save: %v", err)
					}
					if i != 3 {
						b.mustTakeBack(run(i))
					}
				})
			}
			wg.Go(func() { b.mustTakeBack(run(0)) })
			wg.Wait()
			if got := b.rows("SELECT key FROM records WHERE run_id = $1", run(3)); len(got) != 2 {
				t.Fatalf("round %d: %d records of the run that stays, want 2; there are %v", round, len(got), b.rows(allRecords))
			}
			b.mustTakeBack(run(3))
			b.empty()
		}
	})
}

// TestUnchangedIsLeftAlone saves what the catalog knew and nobody fetched again.
func TestUnchangedIsLeftAlone(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		b := newBench(t, url)
		r := recipe(`{}`)
		in := b.made(r, `{"id":"a"}`, `{"id":"b"}`)
		b.mustSave("r1", in)
		unchanged := Input{Unchanged: true, Known: b.look(Query{URL: thingsURL, Recipe: r}), URL: thingsURL, Recipe: r}
		want := Output{Collection: "things", Unchanged: 2, Total: 2, Database: b.db.URL(), Skipped: true, Run: "r1"}
		if out := b.mustSave("r2", unchanged); out != want {
			t.Errorf("unchanged: %+v, want %+v", out, want)
		}
		b.mustTakeBack("r1")
		if got := b.rows("SELECT DISTINCT run_id FROM records"); !slices.Equal(got, []string{"r2"}) {
			t.Errorf("behind the undo of r1, records are of %v, want r2", got)
		}
		want.Run = "r2" // what was known of r1 is true of its heir
		if out := b.mustSave("r3", unchanged); out != want {
			t.Errorf("unchanged, behind the undo of r1: %+v, want %+v", out, want)
		}

		b.mustSave("other", b.keyed(`{"id":"a","v":2}`))
		before := fmt.Sprint(b.rows(allRecords), b.rows("SELECT * FROM barriers"))
		_, err := b.save("r4", unchanged)
		if e := failed(t, err); !e.Permanent || e.Code != CodeNotSaved || !errors.Is(err, ErrNotSaved) {
			t.Errorf("behind a change: %v, want %s", err, CodeNotSaved)
		}
		if got := fmt.Sprint(b.rows(allRecords), b.rows("SELECT * FROM barriers")); got != before {
			t.Errorf("the failure left %s behind, were %s", got, before)
		}
	})
}

func TestUnchangedRefuses(t *testing.T) {
	t.Parallel()
	known := &Saved{Run: "r1", Collection: "things", SHA256: "digest"}
	for what, in := range map[string]Input{
		"neither a document nor unchanged": {Recipe: recipe(`{}`)},
		"nothing known":                    {Unchanged: true, Recipe: recipe(`{}`)},
		"no digest":                        {Unchanged: true, Known: &Saved{Collection: "things"}, Recipe: recipe(`{}`)},
		"no recipe":                        {Unchanged: true, Known: known},
		"forced":                           {Unchanged: true, Known: known, Recipe: recipe(`{}`), Force: true},
	} {
		_, err := newJob(work{"r", "save"}, in)
		if e := failed(t, err); !e.Permanent || e.Code != participant.CodeBadInput {
			t.Errorf("%s: %v, want %s", what, err, participant.CodeBadInput)
		}
	}
}

func TestCatalogRefuses(t *testing.T) {
	t.Parallel()
	for what, q := range map[string]Query{
		"input is no object": {URL: thingsURL, Recipe: recipe(`[]`)},
		"long collection":    {URL: thingsURL, Collection: strings.Repeat("c", MaxCollection+1), Recipe: recipe(`{}`)},
	} {
		_, err := catalog{}.look(t.Context(), participant.Command[Query]{Input: q})
		if e := failed(t, err); !e.Permanent || e.Code != participant.CodeBadInput {
			t.Errorf("%s: %v, want %s", what, err, participant.CodeBadInput)
		}
	}
}

// TestRecipeKeepsNumbers tells inputs apart that one float64 would make one.
func TestRecipeKeepsNumbers(t *testing.T) {
	t.Parallel()
	digests := make(map[string]string)
	for _, input := range []string{`{"a":9007199254740993}`, `{"a":9007199254740992}`, `{"a":1}`, `{"b":1}`, `{}`} {
		digest, err := recipe(input).digest()
		if err != nil || len(digest) != 64 || digests[digest] != "" {
			t.Errorf("%s has digest %q like %s (%v)", input, digest, digests[digest], err)
		}
		digests[digest] = input
	}
	same, err := recipe("{\n \"url\": 1, \"b\": 1}").digest()
	if err != nil || digests[same] != `{"b":1}` {
		t.Errorf("spelled otherwise it has the digest of %q (%v)", digests[same], err)
	}
}

func FuzzRecipe(f *testing.F) {
	for _, seed := range []string{`{"a":1,"a":2}`, `{"url":"x","n":1e400,"s":"\ud800"}`, `null`, `[`, `{"a":{"c":1,"b":[{}]}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		first, err := Recipe{Definition: "d", Input: input}.digest()
		if err != nil {
			return
		}
		again, err := Recipe{Definition: "d", Input: input}.digest()
		if err != nil || first != again || len(first) != 64 {
			t.Fatalf("%q has digests %s and %s (%v)", input, first, again, err)
		}
	})
}
