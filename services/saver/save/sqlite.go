package save

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// How SQLite is used.
const (
	// sqliteConns is the number of connections: saves that read records at once.
	// Only one of them writes the database at a time.
	sqliteConns = 4
	// sqliteIdle is how long an idle connection stays; its temporary file leaves with it.
	sqliteIdle = time.Minute
	// sqliteTime is RFC 3339 in UTC with a fixed width, so that text sorts by time.
	sqliteTime = "2006-01-02T15:04:05.000000Z"
	// sqlitePragmas: a commit is on disk when it returns (FULL; in WAL mode NORMAL
	// loses the last ones in a power cut); another process that writes is waited
	// for up to 10 s; the log file shrinks back to 64 MiB after a large transaction; a
	// connection caches up to 16 MiB of pages.
	sqlitePragmas = "_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)" +
		"&_pragma=foreign_keys(1)&_pragma=journal_size_limit(67108864)&_pragma=cache_size(-16384)&_txlock=immediate"
)

// sqliteDialect has one place for the one writer of this process. Without it
// writers would poll for SQLite's own lock, and the unlucky would starve.
type sqliteDialect struct{ writer chan struct{} }

func openSQLite(path string) (*DB, error) {
	switch {
	case path == "":
		return nil, errors.New("the path is missing: want sqlite:PATH")
	case strings.Contains(path, ":memory:"):
		return nil, errors.New("a database in memory would not outlive the program: want sqlite:PATH")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("make its folder: %w", err)
	}
	pool, err := sql.Open("sqlite", sqliteName(path))
	if err != nil {
		return nil, err
	}
	return overSQLite(pool), nil
}

// sqliteName is a path as the driver wants it, with the pragmas.
func sqliteName(path string) string { return sqliteFile(path) + "?" + sqlitePragmas }

func sqliteFile(path string) string {
	return "file:" + strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(filepath.ToSlash(path))
}

func overSQLite(pool *sql.DB) *DB {
	pool.SetMaxOpenConns(sqliteConns)
	pool.SetMaxIdleConns(sqliteConns)
	pool.SetConnMaxIdleTime(sqliteIdle)
	return &DB{sql: pool, close: pool.Close, dialect: sqliteDialect{writer: make(chan struct{}, 1)}}
}

// OpenSQLite opens a database as [Open] does for sqlite:PATH, by a driver of the
// caller's: one that brings faults between the saver and SQLite, for tests. The
// driver is given the name that SQLite's own would be given.
func OpenSQLite(ctx context.Context, path string, d driver.Driver) (*DB, error) {
	db := overSQLite(sql.OpenDB(connector{d, sqliteName(path)}))
	return db.ready(ctx, "sqlite:"+path, "sqlite")
}

// connector makes connections by a driver that is not registered.
type connector struct {
	driver driver.Driver
	name   string
}

// Connect implements [driver.Connector].
func (c connector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.name) }

// Driver implements [driver.Connector].
func (c connector) Driver() driver.Driver { return c.driver }

const sqliteStaging = `CREATE TABLE IF NOT EXISTS temp.segue_staging (ordinal INTEGER PRIMARY KEY, key TEXT NOT NULL, data TEXT NOT NULL)`

func (d sqliteDialect) load(ctx context.Context, conn *sql.Conn, next func() (record, error)) (n int64, err error) {
	if _, err := conn.ExecContext(ctx, sqliteStaging); err != nil {
		return 0, fmt.Errorf("make staging table: %w", err)
	}
	// ReadOnly makes it a plain BEGIN. Only the temporary file is written, so the
	// database stays free for others. The context's end is noticed by next: watching
	// it in each of a million statements would cost as much as the statements.
	bare := context.WithoutCancel(ctx)
	tx, err := conn.BeginTx(bare, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return 0, fmt.Errorf("begin staging: %w", err)
	}
	defer func() {
		if err != nil {
			err = rollback(tx, err)
		}
	}()
	for _, statement := range []string{"DROP INDEX IF EXISTS temp.segue_staging_key", "DELETE FROM segue_staging"} {
		if _, err := tx.ExecContext(bare, statement); err != nil {
			return 0, fmt.Errorf("empty staging table: %w", err)
		}
	}
	return d.insert(bare, tx, next)
}

// sqliteRows is the number of records that one statement stages: most of what a
// statement costs, it costs once.
const sqliteRows = 64

// insert stages records, sqliteRows at a time, and commits.
func (d sqliteDialect) insert(ctx context.Context, tx *sql.Tx, next func() (record, error)) (n int64, err error) {
	const into = "INSERT INTO segue_staging (ordinal, key, data) VALUES (?, ?, ?)"
	many, err := tx.PrepareContext(ctx, into+strings.Repeat(", (?, ?, ?)", sqliteRows-1))
	if err != nil {
		return 0, fmt.Errorf("prepare staging: %w", err)
	}
	defer many.Close()
	values := make([]any, 0, 3*sqliteRows)
	for {
		rec, err := next()
		if err != nil && !errors.Is(err, io.EOF) {
			return n, err
		}
		if err != nil { // the end
			for rest := values; len(rest) > 0; rest = rest[3:] {
				if _, err := tx.ExecContext(ctx, into, rest[:3]...); err != nil {
					return n, fmt.Errorf("stage record %d: %w", rest[0], err)
				}
			}
			return n, tx.Commit()
		}
		values = append(values, rec.ordinal, rec.key, string(rec.data))
		n++
		if len(values) < cap(values) {
			continue
		}
		if _, err := many.ExecContext(ctx, values...); err != nil {
			return n, fmt.Errorf("stage records up to %d: %w", rec.ordinal, err)
		}
		values = values[:0]
	}
}

// index is made of what is there already, by sorting it once. Without it SQLite would
// go through the whole staging table for each record of the collection.
func (d sqliteDialect) index(ctx context.Context, conn *sql.Conn) error {
	if _, err := conn.ExecContext(ctx, "CREATE INDEX temp.segue_staging_key ON segue_staging (key)"); err != nil {
		return fmt.Errorf("index staging table: %w", err)
	}
	return nil
}

func (d sqliteDialect) unload(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, "DELETE FROM temp.segue_staging")
	return err
}

func (d sqliteDialect) enter(ctx context.Context) (func(), error) {
	select {
	case d.writer <- struct{}{}:
		return func() { <-d.writer }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// lock has nothing to do: an immediate transaction is alone in the database.
func (d sqliteDialect) lock(context.Context, *sql.Tx, string) error { return nil }

func (d sqliteDialect) merging(inserted, updated int64) []statement {
	if inserted+updated == 0 {
		return nil
	}
	return []statement{
		{"upsert records", `
			INSERT INTO records (collection, key, data, run_id, save, ordinal, saved_at)
			SELECT v.collection, s.key, s.data, v.run_id, v.save, s.ordinal, v.saved_at
			FROM saves v CROSS JOIN segue_staging s WHERE v.save = $1 ORDER BY s.key
			ON CONFLICT (collection, key) DO UPDATE SET data = excluded.data, run_id = excluded.run_id,
				save = excluded.save, ordinal = excluded.ordinal, saved_at = excluded.saved_at
			WHERE records.data <> excluded.data`},
	}
}

func (d sqliteDialect) time(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(sqliteTime)
}

func (d sqliteDialect) sameSource(column string) string { return column + " = $1" }

func (d sqliteDialect) isolation() sql.IsolationLevel { return sql.LevelDefault }
func (d sqliteDialect) snapshot() sql.IsolationLevel  { return sql.LevelDefault }
func (d sqliteDialect) refusesNull() bool             { return false }
