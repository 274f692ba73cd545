package save

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestSQLiteSyncs holds the settings that a power cut would test: the log is
// written ahead, and synced at each commit (2 is FULL), on every connection of
// the pool. What they are worth is shown by cutting the power: go run ./faults.
func TestSQLiteSyncs(t *testing.T) {
	t.Parallel()
	b := newBench(t, "sqlite:"+filepath.Join(t.TempDir(), "segue.db"))
	for range sqliteConns {
		conn, err := b.db.sql.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		var mode, level string
		if err := conn.QueryRowContext(t.Context(), "PRAGMA journal_mode").Scan(&mode); err != nil {
			t.Fatal(err)
		}
		if err := conn.QueryRowContext(t.Context(), "PRAGMA synchronous").Scan(&level); err != nil {
			t.Fatal(err)
		}
		if got := []string{mode, level}; !slices.Equal(got, []string{"wal", "2"}) {
			t.Errorf("a connection has journal_mode %s and synchronous %s, want wal and 2", mode, level)
		}
	}
}

// TestSQLitePlans holds that no statement of a save or an undo goes through a whole
// collection, where those of mode replace do not have to, and none through the staged records
// for each record of a collection.
func TestSQLitePlans(t *testing.T) {
	t.Parallel()
	b := newBench(t, "sqlite:"+filepath.Join(t.TempDir(), "segue.db"))
	conn, err := b.db.sql.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, in := range []Input{b.keyed(`{"id":1}`), b.input(`1`)} {
		j, err := newJob(work{"r", "save"}, in)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.stage(t.Context(), conn, j); err != nil {
			t.Fatal(err)
		}
		statements := slices.Concat([]statement{logging, {"count records", counting}}, sharing, b.db.dialect.merging(1, 1), documenting, unwriting)
		if j.key != nil {
			statements = append(statements, removing...)
		}
		for _, s := range statements {
			rows, err := conn.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+s.text, 1)
			if err != nil {
				t.Fatalf("%s: %v", s.name, err)
			}
			loops := 0
			for rows.Next() {
				var id, parent, unused int
				var step string
				if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
					t.Fatal(err)
				}
				loops++
				whole := strings.HasSuffix(step, "(collection=?)") && s.name != "log what is removed" && s.name != "log what stays away"
				if whole || strings.HasPrefix(step, "SCAN ") && step != "SCAN c" && loops > 2 {
					t.Errorf("%s: step %d: %s", s.name, loops, step)
				}
			}
			if err := rows.Err(); err != nil || loops == 0 {
				t.Fatalf("%s has %d steps: %v", s.name, loops, err)
			}
			rows.Close()
		}
	}
}
