package save

import (
	"slices"
	"strings"
	"testing"
)

// TestMigrationKeepsRows updates a database of the first version with rows in it:
// they are what they were, and what was saved then can be undone now.
func TestMigrationKeepsRows(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		var old *DB
		var err error
		if path, is := strings.CutPrefix(url, "sqlite:"); is {
			old, err = openSQLite(path)
		} else {
			old, err = openPostgres(t.Context(), url)
		}
		if err != nil {
			t.Fatal(err)
		}
		provider, err := old.migrations()
		if err == nil {
			_, err = provider.UpTo(t.Context(), 1)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, statement := range []string{
			`INSERT INTO barriers VALUES ('r2', 'save', 'do', '2026-01-02T00:00:00Z')`,
			`INSERT INTO saves (run_id, step, collection, url, sha256, media_type, size, saved_at, records, inserted, updated, logged) VALUES
				('r1', 'save', 'things', 'u', 's', 'm', 1, '2026-01-01T00:00:00.000000Z', 1, 1, 0, 1),
				('r2', 'save', 'things', 'u', 's', 'm', 1, '2026-01-02T00:00:00.000000Z', 1, 0, 1, 1)`,
			`INSERT INTO records VALUES ('things', 'a', '{"v":2}', 'r2', 2, 7, '2026-01-02T00:00:00.000000Z')`,
			`INSERT INTO undo_log VALUES ('things', 'a', 1, 1, TRUE, NULL, NULL, NULL, NULL, NULL),
				('things', 'a', 2, 7, TRUE, '{"v":1}', 'r1', 1, 1, '2026-01-01T00:00:00.000000Z')`,
		} {
			if _, err := old.sql.ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		if err := old.Close(); err != nil {
			t.Fatal(err)
		}

		b := newBench(t, url)
		if got, want := b.rows(allRecords), []string{`things a {"v":2} r2 2 7 2026-01-02T00:00:00.000000Z`}; !slices.Equal(got, want) {
			t.Errorf("records are %q, want %q", got, want)
		}
		if got := b.rows("SELECT changes, mode, recipe FROM saves ORDER BY save"); !slices.Equal(got, []string{"1 upsert ", "1 upsert "}) {
			t.Errorf("saves are %q", got)
		}
		b.mustTakeBack("r2")
		if got, want := b.rows(allRecords), []string{`things a {"v":1} r1 1 1 2026-01-01T00:00:00.000000Z`}; !slices.Equal(got, want) {
			t.Errorf("behind the undo, records are %q, want %q", got, want)
		}
	})
}
