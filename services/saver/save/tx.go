package save

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"segue/participant"
)

// commitTimeout is how long a COMMIT may take. It runs to its end even if the
// command's time is up, because breaking it off would leave its outcome unknown.
const commitTimeout = 30 * time.Second

// transact runs f in a transaction and commits it. After every error nothing has
// been done, except after one with participant.Error.Unknown set: the COMMIT was
// sent and its answer did not come.
func (db *DB) transact(ctx context.Context, conn *sql.Conn, f func(context.Context, *sql.Tx) error) error {
	leave, err := db.dialect.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()

	// The transaction's context ends with the caller's until the commit begins.
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	hold := context.AfterFunc(ctx, cancel)
	defer hold()

	tx, err := conn.BeginTx(inner, &sql.TxOptions{Isolation: db.dialect.isolation()})
	if err != nil {
		return because(ctx, fmt.Errorf("begin: %w", err))
	}
	if err := f(inner, tx); err != nil {
		return rollback(tx, because(ctx, err))
	}
	if !hold() {
		return rollback(tx, ctx.Err())
	}
	timer := time.AfterFunc(db.commitTimeout, cancel)
	defer timer.Stop()
	if err := tx.Commit(); err != nil {
		if !timer.Stop() {
			err = over(limitCommit, fmt.Errorf("no answer within %s: %w", db.commitTimeout, err))
		}
		return &participant.Error{Code: CodeDatabase, Unknown: !rolledBack(err), Err: fmt.Errorf("commit: %w", err)}
	}
	return nil
}

// because adds the end of the caller's context, if that is what broke the work off.
func because(ctx context.Context, err error) error {
	if cause := ctx.Err(); cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}

// rollback ends a transaction that failed. If that fails too, the connection is
// gone and the database ends it by itself.
func rollback(tx *sql.Tx, cause error) error {
	if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		return fmt.Errorf("%w (and roll back: %w)", cause, err)
	}
	return cause
}

// querier is a connection or a transaction.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// statement is a step of a transaction with a name for its error.
type statement struct {
	name string
	text string
}

// run executes statements in order, each with the same arguments.
func run(ctx context.Context, q querier, statements []statement, args ...any) error {
	for _, s := range statements {
		if _, err := q.ExecContext(ctx, s.text, args...); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}
