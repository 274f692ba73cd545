package save

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"segue/participant"
)

// takeBack undoes a piece of work, or makes sure that it is never done.
func (s *saver) takeBack(ctx context.Context, w work) error {
	conn, err := s.db.sql.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close()
	defer s.metrics.took(opUndo, time.Now())
	return s.db.transact(ctx, conn, func(ctx context.Context, tx *sql.Tx) error {
		first, err := s.pass(ctx, tx, w, opUndo)
		if err != nil || !first {
			return err // undone before
		}
		// A do under way is waited for here. It holds its collection's lock and we do
		// not want it yet, so nobody waits in a circle.
		never, err := s.pass(ctx, tx, w, opDo)
		if err != nil || never {
			return err
		}
		return s.unwrite(ctx, tx, w)
	})
}

// unwrite takes back what was done, a skip or a save. A run that was skipped for a
// save may have become its heir meanwhile, so both are looked for under the lock.
func (s *saver) unwrite(ctx context.Context, tx *sql.Tx, w work) error {
	var collection string
	err := tx.QueryRowContext(ctx, `
		SELECT v.collection FROM saves v WHERE v.run_id = $1 AND v.step = $2 OR v.save IN (
			SELECT k.save FROM skips k WHERE k.run_id = $1 AND k.step = $2) LIMIT 1`, w.run, w.step).Scan(&collection)
	switch {
	case errors.Is(err, sql.ErrNoRows): // unreachable unless rows were deleted by hand
		return participant.Permanent(CodePruned, fmt.Errorf("step %s of run %s %w", w.step, w.run, ErrPruned))
	case err != nil:
		return fmt.Errorf("find save: %w", err)
	}
	if err := s.db.dialect.lock(ctx, tx, collection); err != nil {
		return fmt.Errorf("lock collection: %w", err)
	}
	if err := unskip(ctx, tx, w); err != nil {
		return err
	}
	var save int64
	err = tx.QueryRowContext(ctx, `SELECT save FROM saves WHERE run_id = $1 AND step = $2`, w.run, w.step).Scan(&save)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil // it was skipped
	case err != nil:
		return fmt.Errorf("find save: %w", err)
	}
	if handed, err := bequeath(ctx, tx, save); handed || err != nil {
		return err
	}
	if err := s.checkLog(ctx, tx, w, save); err != nil {
		return err
	}
	return run(ctx, tx, unwriting, save)
}

// checkLog makes sure that the undo log has all its entries. Undoing with a part
// of them would leave rows behind and say that it did not.
func (s *saver) checkLog(ctx context.Context, tx *sql.Tx, w work, save int64) error {
	var logged, left int64
	err := tx.QueryRowContext(ctx, `
		SELECT logged, (SELECT count(*) FROM undo_log u WHERE u.collection = v.collection AND u.save = v.save) FROM saves v WHERE v.save = $1`, save).Scan(&logged, &left)
	if err != nil {
		return fmt.Errorf("count undo log: %w", err)
	}
	if left < logged {
		return participant.Permanent(CodePruned, over(limitUndoKeep, fmt.Errorf(
			"step %s of run %s %w after %s; what it saved are the rows of table records with this run_id", w.step, w.run, ErrPruned, s.cfg.UndoKeep)))
	}
	return nil
}

// links begins a statement with the links of the save's changes in their
// chains: what each replaced, and the number of the next save of the key.
const links = `
	WITH link AS (
		SELECT x.collection, x.key, x.data, x.prev_run_id, x.prev_save, x.prev_ordinal, x.prev_saved_at,
			(SELECT min(n.save) FROM undo_log n WHERE n.collection = x.collection AND n.key = x.key AND n.save > x.save) AS next
		FROM saves o JOIN undo_log x ON x.collection = o.collection AND x.save = o.save
		WHERE o.save = $1 AND x.changed)`

// heirs continues it with the next entries that found our data there: theirs now.
const heirs = `
	link p JOIN undo_log n ON n.collection = p.collection AND n.key = p.key AND n.save = p.next AND NOT n.changed
	JOIN saves v ON v.save = n.save`

// unwriting takes the save out of every chain. The order matters: heirs are known
// by their entries until the next entries take over what ours hold.
var unwriting = []statement{
	{"hand records on", links + `
		UPDATE records AS r SET run_id = v.run_id, save = v.save, ordinal = n.ordinal, saved_at = v.saved_at
		FROM ` + heirs + ` WHERE r.collection = p.collection AND r.key = p.key AND r.save = $1`},
	{"hand replaced records on", links + `
		UPDATE undo_log AS e SET prev_run_id = v.run_id, prev_save = v.save, prev_ordinal = n.ordinal, prev_saved_at = v.saved_at
		FROM ` + heirs + ` WHERE e.collection = p.collection AND e.key = p.key AND e.prev_save = $1`},
	{"insert documents of heirs", documentInsert + links + `
		SELECT DISTINCT` + documentValues + `FROM ` + heirs + ` WHERE true ON CONFLICT DO NOTHING`},
	{"say that heirs changed records", `
		UPDATE saves SET changes = changes + 1 WHERE save IN (` + links + ` SELECT n.save FROM ` + heirs + `)`},
	{"hand undo log on", links + `
		UPDATE undo_log AS n SET changed = true, data = p.data, prev_run_id = p.prev_run_id, prev_save = p.prev_save,
			prev_ordinal = p.prev_ordinal, prev_saved_at = p.prev_saved_at
		FROM link p WHERE n.collection = p.collection AND n.key = p.key AND n.save = p.next`},
	{"restore records", `
		INSERT INTO records (collection, key, data, run_id, save, ordinal, saved_at) ` + links + `
		SELECT p.collection, p.key, p.data, p.prev_run_id, p.prev_save, p.prev_ordinal, p.prev_saved_at
		FROM link p WHERE p.next IS NULL AND p.prev_run_id IS NOT NULL
		ON CONFLICT (collection, key) DO UPDATE SET data = excluded.data, run_id = excluded.run_id,
			save = excluded.save, ordinal = excluded.ordinal, saved_at = excluded.saved_at`},
	{"delete records", links + `
		DELETE FROM records WHERE (collection, key) IN (
			SELECT p.collection, p.key FROM link p WHERE p.next IS NULL AND p.prev_run_id IS NULL)`},
	{"delete undo log", `
		DELETE FROM undo_log WHERE (collection, save) IN (SELECT collection, save FROM saves WHERE save = $1)`},
	{"delete document", `
		DELETE FROM documents WHERE (run_id, step) IN (SELECT run_id, step FROM saves WHERE save = $1)`},
	// Another save of the same document may have left no row because ours was there.
	{"insert document of another", documentOf + `FROM saves v WHERE v.save = (
			SELECT min(o.save) FROM saves o JOIN saves x ON x.sha256 = o.sha256 AND x.collection = o.collection AND x.url = o.url
			WHERE x.save = $1 AND o.save <> x.save)
		AND NOT EXISTS (
			SELECT 1 FROM documents d WHERE d.sha256 = v.sha256 AND d.collection = v.collection AND d.url = v.url)`},
	{"delete save", `DELETE FROM saves WHERE save = $1`},
}
