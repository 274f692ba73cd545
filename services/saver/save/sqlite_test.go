package save

import (
	"path/filepath"
	"slices"
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
