package save

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// DB is an open database with the saver's tables in it. Its methods may be
// called concurrently.
type DB struct {
	sql     *sql.DB
	dialect dialect
	url     string // without secrets
	close   func() error
	// commitTimeout is how long a COMMIT may take.
	commitTimeout time.Duration
}

// dialect is what the two databases do differently. All other statements are
// the same text in both.
type dialect interface {
	// load fills the connection's staging table (segue_staging: ordinal, key, data)
	// with the records that next returns, until io.EOF; what was in it goes. It
	// returns their number and passes on the errors of next. No lock is held that
	// another saver would wait for.
	load(ctx context.Context, conn *sql.Conn, next func() (record, error)) (int64, error)
	// index makes what was loaded quick to find by its key.
	index(ctx context.Context, conn *sql.Conn) error
	// unload empties it.
	unload(ctx context.Context, conn *sql.Conn) error
	// enter waits until this process may begin a transaction, and returns how to
	// let the next one in.
	enter(ctx context.Context) (leave func(), err error)
	// lock waits until no other transaction that called it for the same collection
	// is under way.
	lock(ctx context.Context, tx *sql.Tx, collection string) error
	// time is t as a statement's argument.
	time(t time.Time) any
	// merging are the statements that bring staged records into the table, so many of them
	// with new keys and with known ones, all with the number of the save.
	merging(inserted, updated int64) []statement
	// sameSource is a condition that a column is the URL $1, by which there is an index.
	sameSource(column string) string
	// extract is what is in a column of a record: an expression about data.
	extract(c column) string
	// literal is a text as SQL writes it.
	literal(text string) string
	// viewing are the statements that make the view of a collection; had are the
	// columns that it has, none if there is no view, and all those that it will have.
	viewing(collection string, had, all []column) []string
	// taken reports whether there is anything that has the name of a view to be.
	taken(ctx context.Context, tx *sql.Tx, name string) (bool, error)
	// isolation is the level at which a statement after lock sees what was committed.
	isolation() sql.IsolationLevel
	// snapshot is the level at which all statements of a transaction see the same.
	snapshot() sql.IsolationLevel
	// refusesNull says that data cannot have the character \u0000.
	refusesNull() bool
}

// Open opens a database, sqlite:PATH or postgres://USER@HOST/NAME, and makes or
// updates its tables. Any number of savers may do so at once. The SQLite file and
// its folder are created if need be. Errors do not show the URL's secrets.
func Open(ctx context.Context, databaseURL string) (*DB, error) {
	var (
		db  *DB
		err error
	)
	scheme, rest, _ := strings.Cut(databaseURL, ":")
	shown := redact(databaseURL)
	switch scheme {
	case "sqlite":
		db, err = openSQLite(rest)
	case "postgres", "postgresql":
		db, err = openPostgres(ctx, databaseURL)
	default:
		return nil, fmt.Errorf("open database %q: want sqlite:PATH or postgres://USER@HOST/NAME", shown)
	}
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", shown, err)
	}
	return db.ready(ctx, shown, scheme)
}

// ready names a database that was opened and makes its tables, or closes it.
func (db *DB) ready(ctx context.Context, shown, scheme string) (*DB, error) {
	db.url, db.commitTimeout = shown, commitTimeout
	if err := db.connect(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("%w; %s", err, wayOut(scheme)), db.Close())
	}
	if err := db.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", shown, err), db.Close())
	}
	return db, nil
}

// While others open or leave an SQLite file, it may be locked for a moment in which
// SQLite does not wait by itself.
const (
	connectTries = 50
	connectPause = 20 * time.Millisecond
)

// connect asks the database until it is not busy.
func (db *DB) connect(ctx context.Context) error {
	for try := 1; ; try++ {
		err := db.Ping(ctx)
		if err == nil || !busy(err) || try == connectTries {
			return err
		}
		select {
		case <-time.After(connectPause):
		case <-ctx.Done():
			return err
		}
	}
}

func wayOut(scheme string) string {
	if scheme == "sqlite" {
		return "the file must be an SQLite database, and its folder writable"
	}
	return "check that PostgreSQL runs there and that the user may use this database"
}

// Ping reports whether the database answers.
func (db *DB) Ping(ctx context.Context) error {
	var one int
	if err := db.sql.QueryRowContext(ctx, "SELECT count(*) FROM (SELECT 1) AS one").Scan(&one); err != nil {
		return fmt.Errorf("ask database %s: %w", db.url, err)
	}
	return nil
}

// Close closes the database. Work under way fails.
func (db *DB) Close() error {
	if err := db.close(); err != nil {
		return fmt.Errorf("close database %s: %w", db.url, err)
	}
	return nil
}

// URL returns the database's URL for people: without password and parameters.
func (db *DB) URL() string { return db.url }

// redact leaves out of a URL what may be secret: the password and, because
// drivers take one there as well, all parameters.
func redact(databaseURL string) string {
	if strings.HasPrefix(databaseURL, "sqlite:") {
		return databaseURL
	}
	u, err := url.Parse(databaseURL)
	if err != nil || u.Scheme == "" {
		scheme, _, found := strings.Cut(databaseURL, "://")
		if !found {
			return "..."
		}
		return scheme + "://..."
	}
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	if name := u.User.Username(); name != "" {
		shown.User = url.User(name)
	}
	return shown.String()
}
