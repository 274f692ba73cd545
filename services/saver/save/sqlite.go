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
func sqliteName(path string) string {
	name := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(filepath.ToSlash(path))
	return "file:" + name + "?" + sqlitePragmas
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
	if _, err := tx.ExecContext(bare, "DELETE FROM segue_staging"); err != nil {
		return 0, fmt.Errorf("empty staging table: %w", err)
	}
	insert, err := tx.PrepareContext(bare, "INSERT INTO segue_staging (ordinal, key, data) VALUES ($1, $2, $3)")
	if err != nil {
		return 0, fmt.Errorf("prepare staging: %w", err)
	}
	defer insert.Close()
	for {
		rec, err := next()
		if errors.Is(err, io.EOF) {
			return n, tx.Commit()
		}
		if err != nil {
			return n, err
		}
		if _, err := insert.ExecContext(bare, rec.ordinal, rec.key, string(rec.data)); err != nil {
			return n, fmt.Errorf("stage record %d: %w", rec.ordinal, err)
		}
		n++
	}
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

func (d sqliteDialect) time(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(sqliteTime)
}

func (d sqliteDialect) isolation() sql.IsolationLevel { return sql.LevelDefault }
func (d sqliteDialect) refusesNull() bool             { return false }
