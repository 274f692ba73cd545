package save

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"segue/participant"
)

// The operations of a barrier row.
const (
	opDo   = "do"
	opUndo = "undo"
)

// pass inserts a barrier row and reports whether this transaction is the first
// to do so. While another one has inserted it and not ended, it waits.
func (s *saver) pass(ctx context.Context, tx *sql.Tx, w work, op string) (bool, error) {
	result, err := tx.ExecContext(ctx, `INSERT INTO barriers (run_id, step, op, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
		w.run, w.step, op, s.db.dialect.time(s.now()))
	if err != nil {
		return false, fmt.Errorf("pass barrier: %w", err)
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

// recall returns what an earlier do answered, if there was one. If the work was
// undone, or its undo came first, it returns a permanent failure with ErrUndone.
func (s *saver) recall(ctx context.Context, q querier, w work) (out Output, done bool, err error) {
	var op string
	var collection, maker sql.NullString
	var inserted, updated, deleted, total sql.NullInt64
	// "undo" sorts after "do": if both are there, it is the one that counts.
	row := q.QueryRowContext(ctx, `
		SELECT b.op, k.maker, v.collection, v.inserted, v.updated, v.deleted, v.records
		FROM barriers b LEFT JOIN skips k ON k.run_id = b.run_id AND k.step = b.step
		LEFT JOIN saves v ON v.save = coalesce(k.save, (SELECT o.save FROM saves o WHERE o.run_id = b.run_id AND o.step = b.step))
		WHERE b.run_id = $1 AND b.step = $2 ORDER BY b.op DESC LIMIT 1`, w.run, w.step)
	switch err := row.Scan(&op, &maker, &collection, &inserted, &updated, &deleted, &total); {
	case errors.Is(err, sql.ErrNoRows):
		return Output{}, false, nil
	case err != nil:
		return Output{}, false, fmt.Errorf("look at barrier: %w", err)
	case op == opUndo:
		return Output{}, false, participant.Permanent(CodeUndone, fmt.Errorf("step %s of run %s %w", w.step, w.run, ErrUndone))
	}
	out = Output{Collection: collection.String, Total: total.Int64, Database: s.db.URL()}
	if maker.Valid {
		out.Skipped, out.Run, out.Unchanged = true, maker.String, total.Int64
		return out, true, nil
	}
	out.Inserted, out.Updated, out.Deleted = inserted.Int64, updated.Int64, deleted.Int64
	out.Unchanged = out.Total - out.Inserted - out.Updated
	return out, true, nil
}
