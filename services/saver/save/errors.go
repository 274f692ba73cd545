package save

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"segue/document"
	"segue/participant"
)

// The codes of the saver's failures, beside those of package participant.
const (
	CodeBadRecord    = "bad_record"    // a record is not JSON, or not storable
	CodeBadKey       = "bad_key"       // a record has no usable key
	CodeBadValue     = "bad_value"     // a record does not fit a column of its collection
	CodeBadColumn    = "bad_column"    // a collection cannot have a column that was declared
	CodeDuplicateKey = "duplicate_key" // two records of the document have the same key
	CodeKeyExists    = "key_exists"    // a record to be appended has a key that is there
	CodeTooLarge     = "too_large"     // a record or the number of records is over its limit
	CodeNoRecords    = "no_records"    // the records are not in the document store any more
	CodeNotSaved     = "not_saved"     // see ErrNotSaved
	CodeUndone       = "undone"        // see ErrUndone
	CodePruned       = "undo_pruned"   // see ErrPruned
	CodeDatabase     = "database"      // anything else about the database
)

// Sentinels behind permanent failures.
var (
	// ErrNotSaved is returned by a do whose document has not changed since it was
	// saved, if that save does not stand any more: it was undone, or what came after it
	// changed the collection, after the catalog had been asked. Another run does it.
	ErrNotSaved = errors.New("does not stand any more, and the document was not fetched again: start another run")
	// ErrUndone is returned by a do that comes after its undo.
	ErrUndone = errors.New("was undone before it was done")
	// ErrPruned is returned by an undo that comes later than [Config.UndoKeep].
	ErrPruned = errors.New("can no longer be undone: its undo log has left")
)

// failure makes an error a failure that says what is known: nothing was done,
// and whether another attempt may succeed. One that says so already stays.
func failure(what string, err error) error {
	if e := (*participant.Error)(nil); errors.As(err, &e) {
		return err
	}
	return &participant.Error{Code: CodeDatabase, Permanent: refused(err), Err: fmt.Errorf("%s: %w", what, err)}
}

func badRecord(ordinal int64, err error) error {
	return participant.Permanent(CodeBadRecord, fmt.Errorf("record %d %w", ordinal, err))
}

// storeFailure is the failure of the document store. It may pass, even if the
// records seem to be gone: a copy of the store that lags behind knows them later.
func storeFailure(what string, err error) error {
	err = fmt.Errorf("%s: %w", what, err)
	if errors.Is(err, document.ErrNotFound) || errors.Is(err, document.ErrChanged) {
		return &participant.Error{Code: CodeNoRecords, Err: err}
	}
	return &participant.Error{Code: "document_store", Err: err}
}

// refused reports whether a database would refuse the same again: because of
// what the data is, not of the state the database is in. Busy, locked, full,
// shutting down, serialization failures, deadlocks and lost connections pass.
func refused(err error) bool {
	if e := (*pgconn.PgError)(nil); errors.As(err, &e) {
		switch sqlClass(e) {
		case "22", "23", "54": // data exception, constraint, program limit
			return true
		}
		return false
	}
	if e := (*sqlite.Error)(nil); errors.As(err, &e) {
		switch e.Code() & 0xff { // the primary code
		case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH:
			return true
		}
	}
	return false
}

// busy reports whether SQLite says that others are at work.
func busy(err error) bool {
	e := (*sqlite.Error)(nil)
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_BUSY
}

// rolledBack reports whether an error of COMMIT says for sure that nothing was
// committed: the database itself said so. What pgx thinks safe to retry is not
// asked: a COMMIT that was sent and whose answer was lost can come back from it
// as "conn closed", which it takes for never sent.
func rolledBack(err error) bool {
	if e := (*pgconn.PgError)(nil); errors.As(err, &e) {
		switch sqlClass(e) {
		case "08", "57", "58": // connection, shutdown, system error
			return false
		}
		return e.Code != "40003" // statement completion unknown
	}
	return busy(err) || errors.Is(err, pgx.ErrTxCommitRollback)
}

func sqlClass(e *pgconn.PgError) string { return e.Code[:min(2, len(e.Code))] }

// copyLine finds the record in "COPY segue_staging, line 3, column data".
var copyLine = regexp.MustCompile(`\bline (\d+)`)

// copyFailure turns PostgreSQL's refusal of a staged row into one that names the
// record. Lines of a COPY count from 1, as records do.
func copyFailure(err error) error {
	e := (*pgconn.PgError)(nil)
	if !errors.As(err, &e) || !refused(err) {
		return err
	}
	if m := copyLine.FindStringSubmatch(e.Where); m != nil {
		n, _ := strconv.ParseInt(m[1], 10, 64) // digits, as the expression says
		return badRecord(n, fmt.Errorf("is refused by PostgreSQL: %s", strings.TrimSpace(e.Message+" "+e.Detail)))
	}
	return err
}
