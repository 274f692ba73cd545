package save

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// A save is skipped if an earlier one with the same document, recipe and
// collection stands. What is left of it is a row in skips, so that it answers the
// same when it is asked again, and is an heir: if the earlier save is undone, the
// first run that was skipped for it becomes the one that made it, and nothing is
// lost to the run that was told that all is there.

// saved returns the save that has done the job already, or nil.
func (s *saver) saved(ctx context.Context, q querier, j job) (*standing, error) {
	if j.force || j.recipe == "" {
		return nil, nil
	}
	return earlier(ctx, q, `v.sha256 = $1 AND v.recipe = $2 AND v.collection = $3`, j.document.SHA256, j.recipe, j.collection)
}

func (s *saver) skip(ctx context.Context, tx *sql.Tx, w work, earlier *standing) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO skips (run_id, step, save, maker, at) VALUES ($1, $2, $3, $4, $5)`,
		w.run, w.step, earlier.save, earlier.Run, s.db.dialect.time(s.now()))
	if err != nil {
		return fmt.Errorf("insert skip: %w", err)
	}
	return nil
}

// unskip takes a skip back, if there is one.
func unskip(ctx context.Context, tx *sql.Tx, w work) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM skips WHERE run_id = $1 AND step = $2`, w.run, w.step); err != nil {
		return fmt.Errorf("delete skip: %w", err)
	}
	return nil
}

// bequeath makes the first run that was skipped for a save its maker, and reports
// whether there is one. The save keeps its number, and so its place in every
// chain: nothing that changed the collection lies between the two.
func bequeath(ctx context.Context, tx *sql.Tx, save int64) (bool, error) {
	var heir work
	err := tx.QueryRowContext(ctx, `SELECT run_id, step FROM skips WHERE save = $1 ORDER BY at, run_id, step LIMIT 1`, save).Scan(&heir.run, &heir.step)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("look for a skipped save: %w", err)
	}
	if err := run(ctx, tx, bequeathing, save, heir.run, heir.step); err != nil {
		return true, err
	}
	return true, run(ctx, tx, bequeathingRows, save, heir.run)
}

var bequeathing = []statement{
	{"bequeath document", `
		UPDATE documents SET run_id = $2, step = $3 WHERE (run_id, step) IN (SELECT run_id, step FROM saves WHERE save = $1)`},
	{"bequeath save", `
		UPDATE saves SET run_id = $2, step = $3 WHERE save = $1`},
}

var bequeathingRows = []statement{
	{"bequeath records", `
		UPDATE records SET run_id = $2 WHERE save = $1 AND collection = (SELECT collection FROM saves WHERE save = $1)`},
	{"bequeath undo log", `
		UPDATE undo_log SET prev_run_id = $2 WHERE prev_save = $1 AND collection = (SELECT collection FROM saves WHERE save = $1)`},
}
