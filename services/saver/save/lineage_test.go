package save

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// reader is the bench's database, opened to read.
func (b *bench) reader(url string) *DB {
	b.t.Helper()
	db, err := OpenReader(b.t.Context(), url)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.t.Error(err)
		}
	})
	return db
}

func makersOf(t *testing.T, db *DB, key string) (makers []string) {
	t.Helper()
	l, err := db.Lineage(t.Context(), "things", key)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range l.Makers {
		text := fmt.Sprintf("%s %s %d", m.Run, m.Role, m.Position)
		if m.Current {
			text += " current"
		}
		makers = append(makers, text)
	}
	return makers
}

func TestLineage(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		b := newBench(t, url)
		now := time.Date(2026, 1, 2, 3, 4, 6, 0, time.UTC)
		b.now = func() time.Time { return now }
		in := b.made(recipe(`{}`), `{"id":"b"}`, `{"id":"a","v":1}`)
		in.Versions = map[string]string{"parser": "v1.2.3"}
		b.cfg.Version = "v1.2.4"
		b.mustSave("r1", in)
		db := b.reader(url)

		got, err := db.Lineage(t.Context(), "things", "a")
		if err != nil {
			t.Fatal(err)
		}
		digest, _ := in.Recipe.digest()
		want := []Maker{{
			Current: true, Role: RoleMade, Run: "r1", Step: "save", Position: 2, SavedAt: now, Mode: ModeUpsert,
			SHA256: in.Document.SHA256, URL: thingsURL, MediaType: "application/json", Size: in.Document.Size, FetchedAt: in.Document.FetchedAt,
			ETag: in.ETag, LastModified: in.LastModified, Definition: "digest-1", Recipe: digest,
			Versions: map[string]string{"parser": "v1.2.3", Name: "v1.2.4"},
		}}
		if diff := cmp.Diff(want, got.Makers); diff != "" || text(string(got.Record)) != `{"id":"a","v":1}` {
			t.Error(string(got.Record), diff)
		}

		b.mustSave("r2", b.keyed(`{"id":"a","v":1}`))
		now = now.Add(time.Second)
		b.mustSave("r3", b.keyed(`{"id":"a","v":2}`))
		if got, want := makersOf(t, db, "a"), []string{"r3 made 1 current", "r2 found 1", "r1 made 2"}; !slices.Equal(got, want) {
			t.Errorf("makers are %q, want %q", got, want)
		}
		others := b.keyed(`{"id":"c"}`)
		others.Mode = ModeReplace
		b.mustSave("r4", others)
		if got, want := makersOf(t, db, "a"), []string{"r4 removed 0", "r3 made 1", "r2 found 1", "r1 made 2"}; !slices.Equal(got, want) {
			t.Errorf("when it is removed, makers are %q, want %q", got, want)
		}
		b.mustTakeBack("r4")
		b.mustTakeBack("r1")
		if got, want := makersOf(t, db, "a"), []string{"r3 made 1 current", "r2 made 1"}; !slices.Equal(got, want) {
			t.Errorf("behind undos, makers are %q, want %q", got, want)
		}

		// What has left the undo log is known by what replaced it.
		now = now.Add(b.cfg.UndoKeep + time.Hour)
		b.mustSave("r5", b.keyed(`{"id":"a","v":5}`))
		if got, want := makersOf(t, db, "a"), []string{"r5 made 1 current", "r3 made 1"}; !slices.Equal(got, want) {
			t.Errorf("when the log has left, makers are %q, want %q", got, want)
		}
		if _, err := db.Lineage(t.Context(), "things", "nobody"); !errors.Is(err, ErrNoRecord) || !strings.Contains(err.Error(), `"nobody"`) {
			t.Errorf("no record: %v", err)
		}
	})
}

// TestReaderReads holds that what is opened to be read is neither made nor written.
func TestReaderReads(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "none.db")
	for _, url := range []string{"sqlite:" + path, "mysql://me:secret@db/x", "postgres://me:secret%@db/things"} {
		if _, err := OpenReader(t.Context(), url); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", url, err)
		}
	}
	b := newBench(t, "sqlite:"+path)
	if _, err := b.reader("sqlite:"+path).sql.ExecContext(t.Context(), "DELETE FROM barriers"); err == nil {
		t.Error("a reader writes")
	}
}
