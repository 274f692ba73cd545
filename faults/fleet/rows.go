//go:build unix

package fleet

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"
)

// Rows are what users see in a database.
type Rows struct {
	Records   map[string]any    // collection/key => record
	Documents map[string]string // run => url|sha256|size|records
}

// ReadRows reads a database, named as the saver names it.
func ReadRows(ctx context.Context, database string) (Rows, error) {
	driver, source := "pgx", database
	if file, ok := strings.CutPrefix(database, "sqlite:"); ok {
		driver, source = "sqlite", "file:"+file+"?mode=ro&_pragma=busy_timeout(10000)"
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		return Rows{}, fmt.Errorf("open %s database: %w", driver, err)
	}
	defer db.Close()
	found := Rows{Records: make(map[string]any), Documents: make(map[string]string)}
	err = each(ctx, db, "SELECT collection, key, data FROM records", func(fields []string) error {
		var data any
		if err := json.Unmarshal([]byte(fields[2]), &data); err != nil {
			return err
		}
		found.Records[fields[0]+"/"+fields[1]] = data
		return nil
	})
	if err != nil {
		return Rows{}, err
	}
	err = each(ctx, db, "SELECT run_id, url, sha256, size, records FROM documents", func(fields []string) error {
		if _, twice := found.Documents[fields[0]]; twice {
			return fmt.Errorf("run %s has two documents", fields[0])
		}
		found.Documents[fields[0]] = strings.Join(fields[1:], "|")
		return nil
	})
	return found, err
}

// each hands the rows of a query to see, as text.
func each(ctx context.Context, db *sql.DB, query string, see func(fields []string) error) error {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return fmt.Errorf("%s: %w", query, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	values, into := make([]sql.RawBytes, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		fields := make([]string, len(columns))
		for i, v := range values {
			fields[i] = string(v)
		}
		if err := see(fields); err != nil {
			return err
		}
	}
	return rows.Err()
}
