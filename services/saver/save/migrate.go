package save

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// migrations are never edited once released, and never take anything away but
// indexes: a saver of an older version goes on working beside a newer one. But it
// does not know what 00002 and 00003 brought: as long as one runs, nothing should be saved in
// mode replace or with a recipe, because an undo by the older one would not see it, nor
// with columns, because the older one would not hold its records against them.
//
//go:embed migrations/sqlite/*.sql migrations/postgres/*.sql
var migrations embed.FS

const (
	migrationTable = "segue_saver_migrations"
	// migrationLock is the number of the advisory lock in PostgreSQL.
	migrationLock = 7_362_480_915
	// migrationWait is how long to wait for others who migrate, in seconds.
	migrationWait = 120
	// migrationTries is how often losing a race is no error, at least the number of
	// migrations that one saver can lose to others.
	migrationTries = 10
)

// migrate brings the tables up to date. In PostgreSQL savers take turns by an
// advisory lock. SQLite has none: there the slower one's transaction fails on the
// migration that the faster one has committed, and it looks again.
func (db *DB) migrate(ctx context.Context) error {
	provider, err := db.migrations()
	if err != nil {
		return err
	}
	return up(ctx, provider)
}

func (db *DB) migrations() (*goose.Provider, error) {
	dialect, folder := goose.DialectSQLite3, "migrations/sqlite"
	options := []goose.ProviderOption{
		goose.WithTableName(migrationTable),
		goose.WithDisableGlobalRegistry(true),
		goose.WithSlog(slog.New(slog.DiscardHandler)),
	}
	if _, ok := db.dialect.(postgresDialect); ok {
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(migrationLock), lock.WithLockTimeout(1, migrationWait))
		if err != nil {
			return nil, err
		}
		dialect, folder = goose.DialectPostgres, "migrations/postgres"
		options = append(options, goose.WithSessionLocker(locker))
	}
	files, err := fs.Sub(migrations, folder)
	if err != nil {
		return nil, err
	}
	provider, err := goose.NewProvider(dialect, db.sql, files, options...)
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return provider, nil
}

func up(ctx context.Context, provider *goose.Provider) error {
	var failed error
	version := int64(-1)
	for range migrationTries {
		if _, failed = provider.Up(ctx); failed == nil {
			return nil
		}
		now, err := provider.GetDBVersion(ctx)
		if err != nil || now <= version {
			break // nobody was faster: it is the migration itself
		}
		version = now
	}
	return fmt.Errorf("migrate: %w", failed)
}
