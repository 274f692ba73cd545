package save

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// pruneMin is the number of undo log entries, beyond twice those that a save
// adds, that it removes at most: the log shrinks faster than it grows, and no
// save pays much for the past.
const pruneMin = 1000

// prune removes entries older than UndoKeep from the undo log of the save's
// collection, those of the earliest saves first. Only ever the beginning of a
// chain leaves, so that the rest of it stays right; and because the collection is
// locked, no undo reads the chain meanwhile.
func (s *saver) prune(ctx context.Context, tx *sql.Tx, save int64, now time.Time) error {
	_, err := tx.ExecContext(ctx, `
		DELETE FROM undo_log WHERE (collection, save, key) IN (
			SELECT u.collection, u.save, u.key
			FROM undo_log u JOIN saves v ON v.collection = u.collection
			WHERE v.save = $1 AND u.save <= (
				SELECT o.save FROM saves o WHERE o.collection = v.collection AND o.saved_at < $2 ORDER BY o.saved_at DESC LIMIT 1)
			ORDER BY u.save LIMIT (SELECT 2 * logged + $3 FROM saves WHERE save = $1))`,
		save, s.db.dialect.time(now.Add(-s.cfg.UndoKeep)), pruneMin)
	if err != nil {
		return fmt.Errorf("prune undo log: %w", err)
	}
	return nil
}
