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
	prior, err := s.saved(ctx, conn, j)
	if err != nil {
		return out, err
	}
	if prior != nil || j.unchanged { // likely so under the lock as well, and then no record need be read
		if out, err = s.settle(ctx, conn, j, notStaged); !errors.Is(err, errNotStaged) {
			return out, err
		}
	}
	if err := s.expect(ctx, conn, &j); err != nil {
		return out, err
	}
	defer s.unstage(ctx, conn)
	total, err := s.stage(ctx, conn, j)
	if err != nil {
		return out, err
	}
	return s.settle(ctx, conn, j, total)
}

// notStaged is the total of records that were not read.
const notStaged = -1

// errNotStaged is returned by settle if it needs the records.
var errNotStaged = errors.New("the save that had done this does not stand any more")

// settle does in one transaction what a job comes to: nothing if it was done
// before, a skip if another save has done it, else the writing of the staged
// records, of which there are total.
func (s *saver) settle(ctx context.Context, conn *sql.Conn, j job, total int64) (out Output, err error) {
	defer s.metrics.took(opDo, time.Now())
	first := false
	err = s.db.transact(ctx, conn, func(ctx context.Context, tx *sql.Tx) error {
		if err := s.db.dialect.lock(ctx, tx, j.collection); err != nil {
			return fmt.Errorf("lock collection: %w", err)
		}
		if first, err = s.pass(ctx, tx, j.work, opDo); err != nil {
			return err
		}
		if first {
			if err := s.once(ctx, tx, j, total); err != nil {
				return err
			}
		}
		out, _, err = s.recall(ctx, tx, j.work)
		return err
	})
	if err != nil {
		return Output{}, err
	}
	if first {
		s.metrics.saved(j.mode, out)
	}
	return out, nil
}

// once skips the job or writes its records.
func (s *saver) once(ctx context.Context, tx *sql.Tx, j job, total int64) error {
	prior, err := s.saved(ctx, tx, j)
	switch {
	case err != nil:
		return err
	case prior != nil:
		return s.skip(ctx, tx, j.work, prior)
	case j.unchanged:
		return participant.Permanent(CodeNotSaved, fmt.Errorf("the save of run %.100s in collection %s %w", j.known.Run, j.collection, ErrNotSaved))
	case total == notStaged:
		return errNotStaged
	}
	return s.write(ctx, tx, j, total)
}

// stage streams the records into the staging table and returns their number.
func (s *saver) stage(ctx context.Context, conn *sql.Conn, j job) (n int64, err error) {
	reading, cancel := context.WithCancel(ctx)
	defer cancel()
	file, err := s.docs.Open(reading, j.records)
	if err != nil {
		return 0, storeFailure("open records", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	source := newRecords(file, j.key, j.expected, s.cfg.MaxRecords, s.db.dialect.refusesNull())
	if j.mode == ModeAppend {
		source.prefix = j.run + "/" + j.step + "/"
	}
	next, stop := readAhead(reading, cancel, func() (record, error) {
		if err := ctx.Err(); err != nil {
			return record{}, err
		}
		return source.next()
	})
	defer stop()
	if n, err = s.db.dialect.load(ctx, conn, next); err != nil {
		return 0, err
	}
	if j.key != nil || j.mode == ModeReplace { // others do not look for a key in it
		if err := s.db.dialect.index(ctx, conn); err != nil {
			return 0, err
		}
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

// existing returns a permanent failure if a staged record has a key that is there.
func existing(ctx context.Context, tx *sql.Tx, j job) error {
	var value string
	var ordinal int64
	err := tx.QueryRowContext(ctx, `
		SELECT s.key, s.ordinal FROM segue_staging s JOIN records r ON r.collection = $1 AND r.key = s.key
		ORDER BY s.ordinal LIMIT 1`, j.collection).Scan(&value, &ordinal)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return fmt.Errorf("look for keys that are there: %w", err)
	}
	return participant.Permanent(CodeKeyExists, fmt.Errorf(
		"record %d: key %s is %.100q, which collection %s has already; to replace it, save in mode upsert", ordinal, j.key.text, value, j.collection))
}
