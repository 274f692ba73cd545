package save

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
)

type postgresDialect struct{}

// openPostgres makes a pool of connections; their number is pool_max_conns in
// the URL, by default 4 or one for each processor.
func openPostgres(ctx context.Context, databaseURL string) (*DB, error) {
	// Parsed here for an error that does not repeat the URL with its password.
	if _, err := url.Parse(databaseURL); err != nil {
		if e := (*url.Error)(nil); errors.As(err, &e) {
			err = e.Err
		}
		return nil, fmt.Errorf("parse URL: %w; want postgres://USER@HOST/NAME, special characters percent-encoded", err)
	}
	config, err := pgxpool.ParseConfig(databaseURL)
	if err != nil {
		return nil, err // pgx hides the password
	}
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = "segue-" + Name
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	front := stdlib.OpenDBFromPool(pool)
	closeBoth := func() error {
		err := front.Close()
		pool.Close()
		return err
	}
	return &DB{sql: front, close: closeBoth, dialect: postgresDialect{}}, nil
}

// The staging table belongs to the connection and stays with it, so that many
// small saves do not fill the catalogue with dropped tables.
const (
	postgresStaging = `CREATE TEMPORARY TABLE IF NOT EXISTS segue_staging (ordinal bigint NOT NULL, key text NOT NULL, data jsonb NOT NULL)`
	postgresEmpty   = `TRUNCATE pg_temp.segue_staging`
)

func (d postgresDialect) load(ctx context.Context, conn *sql.Conn, next func() (record, error)) (n int64, err error) {
	for _, statement := range []string{postgresStaging, postgresEmpty} {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return 0, fmt.Errorf("make staging table: %w", err)
		}
	}
	var row [3]any
	var broken error // what next said: the server only hears that the copy ends
	source := pgx.CopyFromFunc(func() ([]any, error) {
		rec, err := next()
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		if err != nil {
			broken = err
			return nil, err
		}
		row = [3]any{rec.ordinal, rec.key, rec.data}
		return row[:], nil
	})
	err = conn.Raw(func(driverConn any) error {
		var err error
		n, err = driverConn.(*stdlib.Conn).Conn().CopyFrom(ctx, pgx.Identifier{"pg_temp", "segue_staging"}, []string{"ordinal", "key", "data"}, source)
		return err
	})
	switch {
	case broken != nil:
		return 0, broken
	case err != nil:
		return 0, fmt.Errorf("stage records: %w", copyFailure(err))
	}
	// Nobody else analyzes a temporary table, and the planner would take a million
	// rows for a few.
	if _, err := conn.ExecContext(ctx, "ANALYZE pg_temp.segue_staging (key)"); err != nil {
		return 0, fmt.Errorf("analyze staging table: %w", err)
	}
	return n, nil
}

// index has nothing to do: PostgreSQL knows how much there is, and hashes or sorts it.
func (d postgresDialect) index(context.Context, *sql.Conn) error { return nil }

func (d postgresDialect) unload(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, postgresEmpty)
	return err
}

func (d postgresDialect) enter(context.Context) (func(), error) { return func() {}, nil }

// lock takes an advisory lock until the end of the transaction. Without it two
// saves of one new key would both log that there was nothing before them.
func (d postgresDialect) lock(ctx context.Context, tx *sql.Tx, collection string) error {
	_, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", "segue.saver/"+collection)
	return err
}

// merging inserts and then updates: under the lock of the collection nobody else
// inserts, and ON CONFLICT takes nearly twice as long.
func (d postgresDialect) merging(inserted, updated int64) (statements []statement) {
	if updated > 0 {
		statements = append(statements, statement{"replace records", `
			UPDATE records AS r SET data = s.data, run_id = v.run_id, save = v.save, ordinal = s.ordinal, saved_at = v.saved_at
			FROM saves v CROSS JOIN segue_staging s
			WHERE v.save = $1 AND r.collection = v.collection AND r.key = s.key AND r.data <> s.data`})
	}
	if inserted > 0 {
		statements = append(statements, statement{"insert records", `
			INSERT INTO records (collection, key, data, run_id, save, ordinal, saved_at)
			SELECT v.collection, s.key, s.data, v.run_id, v.save, s.ordinal, v.saved_at
			FROM saves v CROSS JOIN segue_staging s WHERE v.save = $1 AND NOT EXISTS (
				SELECT 1 FROM records r WHERE r.collection = v.collection AND r.key = s.key) ORDER BY s.key`})
	}
	return statements
}

func (d postgresDialect) time(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Truncate(time.Microsecond)
}

// sameSource goes by a digest, because an index holds no long URLs.
func (d postgresDialect) sameSource(column string) string {
	return "md5(" + column + ") = md5($1) AND " + column + " = $1"
}

func (d postgresDialect) isolation() sql.IsolationLevel { return sql.LevelReadCommitted }
func (d postgresDialect) snapshot() sql.IsolationLevel  { return sql.LevelRepeatableRead }
func (d postgresDialect) refusesNull() bool             { return true }
