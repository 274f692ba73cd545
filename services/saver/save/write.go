package save

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// write moves the staged records into place. Everything about them comes from
// two tables, segue_staging and the row in saves, so that every statement has one
// argument: the number of the save.
func (s *saver) write(ctx context.Context, tx *sql.Tx, j job, total int64) error {
	now := s.now()
	if err := s.declare(ctx, tx, j); err != nil {
		return err
	}
	if j.mode == ModeAppend && j.key != nil { // positions are the run's own
		if err := existing(ctx, tx, j); err != nil {
			return err
		}
	}
	save, err := s.number(ctx, tx, j, total, now)
	if err != nil {
		return err
	}
	if err := s.place(ctx, tx, j.mode, save, total); err != nil {
		return err
	}
	return s.prune(ctx, tx, save, now)
}

// place writes the rows of a save. They are written in the order of their keys, which
// is that of the trees they go to. What a statement would find nothing for is left out:
// to find that takes it as long as the rest.
func (s *saver) place(ctx context.Context, tx *sql.Tx, mode string, save, total int64) error {
	result, err := tx.ExecContext(ctx, logging.text, save)
	if err != nil {
		return fmt.Errorf("%s: %w", logging.name, err)
	}
	changed, err := result.RowsAffected()
	if err != nil {
		return fmt.Errorf("%s: %w", logging.name, err)
	}
	if changed < total {
		if err := run(ctx, tx, sharing, save); err != nil {
			return err
		}
	}
	if mode == ModeReplace {
		if err := run(ctx, tx, removing, save); err != nil {
			return err
		}
	}
	var inserted, updated int64
	if err := tx.QueryRowContext(ctx, counting, save).Scan(&inserted, &updated); err != nil {
		return fmt.Errorf("count records: %w", err)
	}
	if err := run(ctx, tx, s.db.dialect.merging(inserted, updated), save); err != nil {
		return err
	}
	return run(ctx, tx, documenting, save)
}

// number writes the row in saves and returns its number. Because the collection
// is locked, numbers grow in the order in which saves of a collection take effect.
func (s *saver) number(ctx context.Context, tx *sql.Tx, j job, total int64, now time.Time) (int64, error) {
	var save int64
	err := tx.QueryRowContext(ctx, `
		INSERT INTO saves (run_id, step, collection, url, sha256, media_type, size, fetched_at, saved_at, records,
			mode, source, recipe, definition, etag, last_modified, versions)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) RETURNING save`,
		j.run, j.step, j.collection, j.document.URL, j.document.SHA256, j.document.MediaType, j.document.Size,
		s.db.dialect.time(j.document.FetchedAt), s.db.dialect.time(now), total,
		j.mode, j.source, j.recipe, j.definition, j.etag, j.lastModified, j.versions).Scan(&save)
	if err != nil {
		return 0, fmt.Errorf("insert save: %w", err)
	}
	return save, nil
}

var logging = statement{"log what is replaced", `
		INSERT INTO undo_log (save, collection, key, ordinal, changed, data, prev_run_id, prev_save, prev_ordinal, prev_saved_at)
		SELECT v.save, v.collection, s.key, s.ordinal, true, r.data, r.run_id, r.save, r.ordinal, r.saved_at
		FROM saves v CROSS JOIN segue_staging s LEFT JOIN records r ON r.collection = v.collection AND r.key = s.key
		WHERE v.save = $1 AND (r.key IS NULL OR r.data <> s.data) ORDER BY s.key`}

var sharing = []statement{
	// Data that was there already is ours as well, which matters only while an
	// earlier save can still be undone.
	{"log what is shared", `
		INSERT INTO undo_log (save, collection, key, ordinal, changed)
		SELECT v.save, v.collection, s.key, s.ordinal, false
		FROM saves v CROSS JOIN segue_staging s CROSS JOIN records r
		WHERE v.save = $1 AND r.collection = v.collection AND r.key = s.key AND r.data = s.data AND EXISTS (
			SELECT 1 FROM undo_log u WHERE u.collection = v.collection AND u.key = s.key AND u.changed)`},
}

var removing = []statement{
	{"log what is removed", `
		INSERT INTO undo_log (save, collection, key, ordinal, changed, absent, data, prev_run_id, prev_save, prev_ordinal, prev_saved_at)
		SELECT v.save, v.collection, r.key, 0, true, true, r.data, r.run_id, r.save, r.ordinal, r.saved_at
		FROM saves v JOIN records r ON r.collection = v.collection LEFT JOIN segue_staging s ON s.key = r.key
		WHERE v.save = $1 AND s.key IS NULL`},
	// What an earlier save has removed is to stay away if that one is undone.
	{"log what stays away", `
		INSERT INTO undo_log (save, collection, key, ordinal, changed, absent)
		SELECT DISTINCT v.save, v.collection, u.key, 0, false, true
		FROM saves v JOIN undo_log u ON u.collection = v.collection
			LEFT JOIN records r ON r.collection = u.collection AND r.key = u.key
			LEFT JOIN segue_staging s ON s.key = u.key
		WHERE v.save = $1 AND u.absent AND u.changed AND u.save < v.save AND r.key IS NULL AND s.key IS NULL`},
	{"remove records", `
		DELETE FROM records WHERE (collection, key) IN (
			SELECT u.collection, u.key FROM saves v JOIN undo_log u ON u.collection = v.collection AND u.save = v.save
			WHERE v.save = $1 AND u.absent AND u.changed)`},
}

// counting notes what the undo log says of a save.
const counting = `
		UPDATE saves SET inserted = c.inserted, updated = c.updated, deleted = c.deleted, logged = c.logged, changes = c.changes
		FROM (SELECT count(CASE WHEN changed AND NOT absent AND prev_run_id IS NULL THEN 1 END) AS inserted,
			count(CASE WHEN NOT absent THEN prev_run_id END) AS updated,
			count(CASE WHEN absent THEN prev_run_id END) AS deleted,
			count(*) AS logged, count(CASE WHEN changed THEN 1 END) AS changes
			FROM undo_log u JOIN saves v ON v.collection = u.collection AND v.save = u.save WHERE v.save = $1) AS c
		WHERE saves.save = $1 RETURNING saves.inserted, saves.updated`

var documenting = []statement{
	// The same document again, with nothing new in it, leaves no second row.
	{"insert document", documentOf + `FROM saves v WHERE v.save = $1 AND (v.changes > 0 OR NOT EXISTS (
		SELECT 1 FROM documents d WHERE d.sha256 = v.sha256 AND d.collection = v.collection AND d.url = v.url))`},
}

// The parts of a statement that copies rows of saves, named v, into documents.
const (
	documentInsert = `
		INSERT INTO documents (run_id, step, collection, url, sha256, media_type, size, fetched_at, saved_at, records,
			definition, recipe, etag, last_modified, versions) `
	documentValues = ` v.run_id, v.step, v.collection, v.url, v.sha256, v.media_type, v.size, v.fetched_at, v.saved_at, v.records,
			v.definition, v.recipe, v.etag, v.last_modified, v.versions `
	documentOf = documentInsert + `SELECT` + documentValues
)
