package save

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"segue/participant"
)

// unloadTimeout is how long emptying the staging table may take after the
// command's own time is up.
const unloadTimeout = 10 * time.Second

// save does a job, or returns what it came to if it has been done.
func (s *saver) save(ctx context.Context, j job) (out Output, err error) {
	conn, err := s.db.sql.Conn(ctx)
	if err != nil {
		return out, fmt.Errorf("connect: %w", err)
	}
	defer conn.Close()

	// A command delivered again needs its records no more; they may have left.
	if out, done, err := s.recall(ctx, conn, j.work); done || err != nil {
		return out, err
	}
	defer s.unstage(ctx, conn)
	total, err := s.stage(ctx, conn, j)
	if err != nil {
		return out, err
	}
	err = s.db.transact(ctx, conn, func(ctx context.Context, tx *sql.Tx) error {
		if err := s.db.dialect.lock(ctx, tx, j.collection); err != nil {
			return fmt.Errorf("lock collection: %w", err)
		}
		first, err := s.pass(ctx, tx, j.work, opDo)
		if err != nil {
			return err
		}
		if first {
			if err := s.write(ctx, tx, j, total); err != nil {
				return err
			}
		}
		out, _, err = s.recall(ctx, tx, j.work)
		return err
	})
	if err != nil {
		return Output{}, err
	}
	return out, nil
}

// stage streams the records into the staging table and returns their number.
func (s *saver) stage(ctx context.Context, conn *sql.Conn, j job) (n int64, err error) {
	file, err := s.docs.Open(ctx, j.records)
	if err != nil {
		return 0, storeFailure("open records", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	source := newRecords(file, j.key, s.cfg.MaxRecords, s.db.dialect.refusesNull())
	next := func() (record, error) {
		if err := ctx.Err(); err != nil {
			return record{}, err
		}
		return source.next()
	}
	if n, err = s.db.dialect.load(ctx, conn, next); err != nil {
		return 0, err
	}
	if j.key != nil { // positions cannot repeat
		return n, duplicate(ctx, conn, j.key)
	}
	return n, nil
}

// unstage frees the space. It matters to nobody if it fails: the next load
// empties the table, and a lost connection's goes by itself.
func (s *saver) unstage(ctx context.Context, conn *sql.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unloadTimeout)
	defer cancel()
	_ = s.db.dialect.unload(ctx, conn)
}

// duplicate returns a permanent failure if two staged records have the same key.
func duplicate(ctx context.Context, conn *sql.Conn, key *pointer) error {
	var value string
	var first, other int64
	err := conn.QueryRowContext(ctx, `
		SELECT key, min(ordinal), max(ordinal) FROM segue_staging
		GROUP BY key HAVING count(*) > 1 ORDER BY min(ordinal) LIMIT 1`).Scan(&value, &first, &other)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return fmt.Errorf("look for duplicate keys: %w", err)
	}
	return participant.Permanent(CodeDuplicateKey,
		fmt.Errorf("records %d and %d have the same key %s: %.100q", first, other, key.text, value))
}

// write moves the staged records into place. Everything about them comes from
// two tables, segue_staging and the row in saves, so that every statement has one
// argument: the number of the save.
func (s *saver) write(ctx context.Context, tx *sql.Tx, j job, total int64) error {
	now := s.now()
	save, err := s.number(ctx, tx, j, total, now)
	if err != nil {
		return err
	}
	if err := run(ctx, tx, writing, save); err != nil {
		return err
	}
	return s.prune(ctx, tx, save, now)
}

// number writes the row in saves and returns its number. Because the collection
// is locked, numbers grow in the order in which saves of a collection take effect.
func (s *saver) number(ctx context.Context, tx *sql.Tx, j job, total int64, now time.Time) (int64, error) {
	var save int64
	err := tx.QueryRowContext(ctx, `
		INSERT INTO saves (run_id, step, collection, url, sha256, media_type, size, fetched_at, saved_at, records)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING save`,
		j.run, j.step, j.collection, j.source.URL, j.source.SHA256, j.source.MediaType, j.source.Size,
		s.db.dialect.time(j.source.FetchedAt), s.db.dialect.time(now), total).Scan(&save)
	if err != nil {
		return 0, fmt.Errorf("insert save: %w", err)
	}
	return save, nil
}

var writing = []statement{
	{"log what is replaced", `
		INSERT INTO undo_log (save, collection, key, ordinal, changed, data, prev_run_id, prev_save, prev_ordinal, prev_saved_at)
		SELECT v.save, v.collection, s.key, s.ordinal, true, r.data, r.run_id, r.save, r.ordinal, r.saved_at
		FROM saves v CROSS JOIN segue_staging s LEFT JOIN records r ON r.collection = v.collection AND r.key = s.key
		WHERE v.save = $1 AND (r.key IS NULL OR r.data <> s.data)`},
	// Data that was there already is ours as well, which matters only while an
	// earlier save can still be undone.
	{"log what is shared", `
		INSERT INTO undo_log (save, collection, key, ordinal, changed)
		SELECT v.save, v.collection, s.key, s.ordinal, false
		FROM saves v CROSS JOIN segue_staging s JOIN records r ON r.collection = v.collection AND r.key = s.key
		WHERE v.save = $1 AND r.data = s.data AND EXISTS (
			SELECT 1 FROM undo_log u WHERE u.collection = v.collection AND u.key = s.key AND u.changed)`},
	{"upsert records", `
		INSERT INTO records (collection, key, data, run_id, save, ordinal, saved_at)
		SELECT v.collection, s.key, s.data, v.run_id, v.save, s.ordinal, v.saved_at
		FROM saves v CROSS JOIN segue_staging s WHERE v.save = $1
		ON CONFLICT (collection, key) DO UPDATE SET data = excluded.data, run_id = excluded.run_id,
			save = excluded.save, ordinal = excluded.ordinal, saved_at = excluded.saved_at
		WHERE records.data <> excluded.data`},
	{"count records", `
		UPDATE saves SET inserted = c.inserted, updated = c.updated, logged = c.logged
		FROM (SELECT count(CASE WHEN changed AND prev_run_id IS NULL THEN 1 END) AS inserted,
			count(prev_run_id) AS updated, count(*) AS logged
			FROM undo_log u JOIN saves v ON v.collection = u.collection AND v.save = u.save WHERE v.save = $1) AS c
		WHERE saves.save = $1`},
	// The same document again, with nothing new in it, leaves no second row.
	{"insert document", documentOf + `WHERE v.save = $1 AND (v.inserted + v.updated > 0 OR NOT EXISTS (
		SELECT 1 FROM documents d WHERE d.sha256 = v.sha256 AND d.collection = v.collection AND d.url = v.url))`},
}

// documentOf begins a statement that copies rows of saves, named v, into documents.
const documentOf = `
	INSERT INTO documents (run_id, step, collection, url, sha256, media_type, size, fetched_at, saved_at, records)
	SELECT v.run_id, v.step, v.collection, v.url, v.sha256, v.media_type, v.size, v.fetched_at, v.saved_at, v.records
	FROM saves v `
