package save

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"segue/participant"
)

// The columns of a collection are those that saves have declared, each as the last
// one declared it. What holds at all times: every record of the collection fits its
// columns, and so does all that an undo could restore. Therefore a column is refused
// if something that is there does not fit it, a record if it does not fit a column,
// and an undo need not care.

// columnsOf reads the columns of a collection.
func columnsOf(ctx context.Context, q querier, collection string) ([]column, error) {
	rows, err := q.QueryContext(ctx, `SELECT name, path, type FROM columns WHERE collection = $1 ORDER BY position`, collection)
	if err != nil {
		return nil, fmt.Errorf("read columns: %w", err)
	}
	defer rows.Close()
	var columns []column
	for rows.Next() {
		var c column
		var path string
		if err := rows.Scan(&c.name, &path, &c.kind); err != nil {
			return nil, fmt.Errorf("read columns: %w", err)
		}
		if c.path, err = parsePointer(path); err != nil {
			return nil, fmt.Errorf("read column %q: %w", c.name, err) // unreachable unless rows were changed by hand
		}
		columns = append(columns, c)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read columns: %w", err)
	}
	return columns, nil
}

// expect adds to a job the columns that its records will have to fit, as far as can
// be known before the collection is locked.
func (s *saver) expect(ctx context.Context, conn *sql.Conn, j *job) error {
	had, err := columnsOf(ctx, conn, j.collection)
	if err != nil {
		return err
	}
	j.expected, _ = declared(had, j.columns)
	return nil
}

// declare gives the collection the columns of the job, and holds the staged records
// against those that they were not held against before.
func (s *saver) declare(ctx context.Context, tx *sql.Tx, j job) error {
	had, err := columnsOf(ctx, tx, j.collection)
	if err != nil {
		return err
	}
	all, news := declared(had, j.columns)
	if len(news) > 0 {
		if err := s.redefine(ctx, tx, j, had, all, news); err != nil {
			return err
		}
	}
	return eachRecord(ctx, tx, without(all, j.expected), stagedRecords, func(key string, ordinal int64, err error) error {
		return badValue(ordinal, err)
	})
}

// redefine writes down the columns of a collection and makes its view, if all that is
// there fits those that are new.
func (s *saver) redefine(ctx context.Context, tx *sql.Tx, j job, had, all, news []column) error {
	if err := checkNames(all); err != nil {
		return participant.Permanent(participant.CodeBadInput, err)
	}
	err := eachRecord(ctx, tx, news, savedRecords, func(key string, _ int64, err error) error {
		return participant.Permanent(CodeBadColumn, fmt.Errorf(
			"record with key %.100q, which collection %s has, or would have again after an undo, %w; declare another type, or save to another collection", key, j.collection, err))
	}, j.collection)
	if err != nil {
		return err
	}
	for i, c := range all {
		if len(without([]column{c}, had)) == 0 {
			continue
		}
		if _, err := tx.ExecContext(ctx, `
			INSERT INTO columns (collection, name, position, path, type, run_id, step, declared_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (collection, name) DO UPDATE SET path = excluded.path, type = excluded.type,
				run_id = excluded.run_id, step = excluded.step, declared_at = excluded.declared_at`,
			j.collection, c.name, i+1, c.path.text, string(c.kind), j.run, j.step, s.db.dialect.time(s.now())); err != nil {
			return fmt.Errorf("insert column: %w", err)
		}
	}
	return s.review(ctx, tx, j.collection, had, all)
}

// review makes the view of a collection, or makes it anew if it had columns. Whatever
// else has the name is left alone.
func (s *saver) review(ctx context.Context, tx *sql.Tx, collection string, had, all []column) error {
	if len(had) == 0 {
		taken, err := s.db.dialect.taken(ctx, tx, collection)
		switch {
		case err != nil:
			return fmt.Errorf("look for view: %w", err)
		case taken:
			return participant.Permanent(CodeBadColumn, fmt.Errorf(
				"the database has a table, view or index %q already, so the collection of that name can have no columns: save to another collection", collection))
		}
	}
	for _, text := range s.db.dialect.viewing(collection, had, all) {
		if _, err := tx.ExecContext(ctx, text); err != nil {
			return viewFailure(collection, fmt.Errorf("make view: %w", err))
		}
	}
	return nil
}

// viewFailure makes what a database says about a view a permanent failure, unless it is about
// the state it is in.
func viewFailure(collection string, err error) error {
	if e := (*pgconn.PgError)(nil); errors.As(err, &e) {
		switch sqlClass(e) {
		case "2B", "42": // others depend on it; syntax, access rules, names
			return participant.Permanent(CodeBadColumn, fmt.Errorf("view %q: %w", collection, err))
		}
	}
	if e := (*sqlite.Error)(nil); errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_ERROR {
		return participant.Permanent(CodeBadColumn, fmt.Errorf("view %q: %w", collection, err))
	}
	return err
}

// What eachRecord reads.
const (
	stagedRecords = `SELECT key, ordinal, data FROM segue_staging`
	savedRecords  = `SELECT key, ordinal, data FROM records WHERE collection = $1
		UNION ALL SELECT key, ordinal, data FROM undo_log WHERE collection = $1 AND data IS NOT NULL`
)

// eachRecord holds the records that a query finds against columns, if there are any,
// and returns what unfit makes of the first that does not fit.
func eachRecord(ctx context.Context, tx *sql.Tx, columns []column, query string, unfit func(key string, ordinal int64, err error) error, args ...any) error {
	if len(columns) == 0 {
		return nil
	}
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("read records: %w", err)
	}
	defer rows.Close()
	fitting := newFitting(columns)
	var data sql.RawBytes
	var key string
	var ordinal int64
	for rows.Next() {
		if err := rows.Scan(&key, &ordinal, &data); err != nil {
			return fmt.Errorf("read records: %w", err)
		}
		if err := fitting.check(data); err != nil {
			return unfit(key, ordinal, err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read records: %w", err)
	}
	return nil
}

func badValue(ordinal int64, err error) error {
	return participant.Permanent(CodeBadValue, fmt.Errorf("record %d %w", ordinal, err))
}

// viewing keeps the view where it can: others may have been granted it or have views
// upon it. New columns stand behind the others, as PostgreSQL wants it.
func (d postgresDialect) viewing(collection string, had, all []column) []string {
	text := "CREATE OR REPLACE " + viewOf(d, collection, all)
	for i, c := range had {
		if all[i].kind != c.kind {
			return []string{"DROP VIEW IF EXISTS " + quoteName(collection), text}
		}
	}
	return []string{text}
}

// taken asks for all that can stand in the place of a view, wherever PostgreSQL would
// look for it.
func (d postgresDialect) taken(ctx context.Context, tx *sql.Tx, name string) (taken bool, err error) {
	err = tx.QueryRowContext(ctx, "SELECT to_regclass($1) IS NOT NULL", quoteName(name)).Scan(&taken)
	return taken, err
}

func (d sqliteDialect) viewing(collection string, had, all []column) []string {
	text := "CREATE " + viewOf(d, collection, all)
	if len(had) == 0 {
		return []string{text}
	}
	return []string{"DROP VIEW IF EXISTS " + quoteName(collection), text}
}

func (d sqliteDialect) taken(ctx context.Context, tx *sql.Tx, name string) (taken bool, err error) {
	err = tx.QueryRowContext(ctx, "SELECT count(*) > 0 FROM sqlite_schema WHERE lower(name) = $1", lower(name)).Scan(&taken)
	return taken, err
}
