//go:build unix

package e2e

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// query returns the rows of a query on an SQLite file, a line each.
func query(t *testing.T, file, q string, args ...any) []string {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+file+"?mode=ro&_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(q, args...)
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for rows.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		var fields []string
		for _, v := range values {
			fields = append(fields, fmt.Sprint(v))
		}
		lines = append(lines, strings.Join(fields, "|"))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

// dump returns all that users see in a database.
func dump(t *testing.T, file string) string {
	t.Helper()
	lines := query(t, file, "SELECT * FROM documents ORDER BY run_id, step")
	lines = append(lines, query(t, file, "SELECT * FROM records ORDER BY collection, key")...)
	return strings.Join(lines, "\n")
}

// nothingOf fails the test if any table of a database has a row of a run.
func nothingOf(t *testing.T, file, run string) {
	t.Helper()
	tables := query(t, file, "SELECT m.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND c.name = 'run_id'")
	if len(tables) < 2 {
		t.Fatalf("tables with a run_id are %v: the check has gone blind", tables)
	}
	for _, table := range tables {
		if rows := query(t, file, "SELECT * FROM "+table+" WHERE run_id = ?", run); len(rows) > 0 {
			t.Errorf("table %s holds %d rows of run %s, such as %s", table, len(rows), run, rows[0])
		}
	}
}
