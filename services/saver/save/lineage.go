package save

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// ErrNoRecord is returned for the lineage of a record that is not there, and of
// which nothing is known.
var ErrNoRecord = errors.New("no such record")

// Lineage is where a record comes from.
type Lineage struct {
	Collection string `json:"collection"`
	Key        string `json:"key"`
	// Record is the record; absent if the last save that had to do with it removed it.
	Record json.RawMessage `json:"record,omitempty"`
	// Makers are the saves that had to do with it and are not undone, the latest
	// first: as far back as the undo log goes, at most [MaxMakers].
	Makers []Maker `json:"makers"`
}

// MaxMakers is the number of makers that a lineage has at most: the latest.
const MaxMakers = 1000

// The roles of a maker.
const (
	RoleMade    = "made"    // it inserted or replaced the record
	RoleFound   = "found"   // its document has the record too, and it was there like that
	RoleRemoved = "removed" // its document does not have it, and was to replace the collection
)

// Maker is a save that had to do with a record.
type Maker struct {
	// Current says that the record is as this save made it.
	Current bool   `json:"current"`
	Role    string `json:"role"`
	Run     string `json:"run"`
	Step    string `json:"step,omitempty"`
	// Position is that of the record in its document, from 1.
	Position int64     `json:"position,omitempty"`
	SavedAt  time.Time `json:"saved_at,omitzero"`
	Mode     string    `json:"mode,omitempty"`
	// SHA256 is the digest of the document, URL where it was fetched; both are empty
	// for a save of which no more is known than its run.
	SHA256       string    `json:"sha256,omitempty"`
	URL          string    `json:"url,omitempty"`
	MediaType    string    `json:"media_type,omitempty"`
	Size         int64     `json:"size,omitempty"`
	FetchedAt    time.Time `json:"fetched_at,omitzero"`
	ETag         string    `json:"etag,omitempty"`
	LastModified string    `json:"last_modified,omitempty"`
	// Definition and Recipe are digests; empty if the run did not say.
	Definition string            `json:"definition,omitempty"`
	Recipe     string            `json:"recipe,omitempty"`
	Versions   map[string]string `json:"versions,omitempty"`
}

// OpenReader opens a database as [Open] does, but only to read what is there: it
// must exist, and nothing is made or updated.
func OpenReader(ctx context.Context, databaseURL string) (*DB, error) {
	path, isSQLite := strings.CutPrefix(databaseURL, "sqlite:")
	if !isSQLite {
		return openReaderPostgres(ctx, databaseURL)
	}
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("open database %s: %w", databaseURL, err)
	}
	pool, err := sql.Open("sqlite", sqliteFile(path)+"?mode=ro&_pragma=busy_timeout(10000)&_pragma=query_only(1)")
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", databaseURL, err)
	}
	return &DB{sql: pool, close: pool.Close, dialect: sqliteDialect{}, url: databaseURL}, nil
}

func openReaderPostgres(ctx context.Context, databaseURL string) (*DB, error) {
	shown := redact(databaseURL)
	if scheme, _, _ := strings.Cut(databaseURL, ":"); scheme != "postgres" && scheme != "postgresql" {
		return nil, fmt.Errorf("open database %q: want sqlite:PATH or postgres://USER@HOST/NAME", shown)
	}
	db, err := openPostgres(ctx, databaseURL)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", shown, err)
	}
	db.url = shown
	return db, nil
}

// Lineage returns where a record comes from, or [ErrNoRecord]. It only reads.
func (db *DB) Lineage(ctx context.Context, collection, key string) (l Lineage, err error) {
	tx, err := db.sql.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: db.dialect.snapshot()})
	if err != nil {
		return l, fmt.Errorf("read database %s: %w", db.url, err)
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }()
	l = Lineage{Collection: collection, Key: key, Makers: []Maker{}}
	current, err := readRecord(ctx, tx, &l)
	if err == nil {
		err = makers(ctx, tx, &l, current)
	}
	switch {
	case err != nil:
		return l, fmt.Errorf("read database %s: %w; its tables must be those of this version, which a saver makes when it starts", db.url, err)
	case l.Record == nil && len(l.Makers) == 0:
		return l, fmt.Errorf("key %q in collection %q: %w in %s", key, collection, ErrNoRecord, db.url)
	}
	return l, nil
}

// readRecord reads the record and returns the number of the save that made it, 0 if
// there is none.
func readRecord(ctx context.Context, tx *sql.Tx, l *Lineage) (save int64, err error) {
	var data string
	err = tx.QueryRowContext(ctx, `SELECT data, save FROM records WHERE collection = $1 AND key = $2`, l.Collection, l.Key).Scan(&data, &save)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	l.Record = json.RawMessage(data)
	return save, err
}

// The saves that had to do with a record are that of the record itself, those of
// its chain, and the one whose data the first of these replaced.
const chain = `
	WITH part (save, run_id, ordinal, saved_at, role, rank) AS (
		SELECT save, run_id, ordinal, saved_at, 'made', 1 FROM records WHERE collection = $1 AND key = $2
		UNION ALL
		SELECT u.save, NULL, u.ordinal, NULL, CASE WHEN u.absent THEN 'removed' WHEN u.changed THEN 'made' ELSE 'found' END, 2
		FROM undo_log u WHERE u.collection = $1 AND u.key = $2
		UNION ALL
		SELECT u.prev_save, u.prev_run_id, u.prev_ordinal, u.prev_saved_at, 'made', 3
		FROM undo_log u WHERE u.collection = $1 AND u.key = $2 AND u.prev_save IS NOT NULL)
	SELECT p.save, p.role, coalesce(v.run_id, p.run_id), coalesce(v.step, ''), p.ordinal, coalesce(v.saved_at, p.saved_at), coalesce(v.mode, ''),
		coalesce(v.sha256, ''), coalesce(v.url, ''), coalesce(v.media_type, ''), coalesce(v.size, 0), v.fetched_at,
		coalesce(v.etag, ''), coalesce(v.last_modified, ''), coalesce(v.definition, ''), coalesce(v.recipe, ''), coalesce(v.versions, '{}')
	FROM part p LEFT JOIN saves v ON v.save = p.save
	WHERE NOT EXISTS (SELECT 1 FROM part o WHERE o.save = p.save AND o.rank < p.rank)
	ORDER BY p.save DESC, p.rank LIMIT $3`

func makers(ctx context.Context, tx *sql.Tx, l *Lineage, current int64) error {
	rows, err := tx.QueryContext(ctx, chain, l.Collection, l.Key, MaxMakers)
	if err != nil {
		return err
	}
	defer rows.Close()
	seen := int64(-1)
	for rows.Next() {
		var m Maker
		var save int64
		var versions string
		if err := rows.Scan(&save, &m.Role, &m.Run, &m.Step, &m.Position, timestamp{&m.SavedAt}, &m.Mode, &m.SHA256, &m.URL, &m.MediaType, &m.Size,
			timestamp{&m.FetchedAt}, &m.ETag, &m.LastModified, &m.Definition, &m.Recipe, &versions); err != nil {
			return err
		}
		if save == seen {
			continue // two entries replaced the data of one save
		}
		seen = save
		if err := json.Unmarshal([]byte(versions), &m.Versions); err != nil {
			return fmt.Errorf("read versions of run %s: %w", m.Run, err)
		}
		m.Current = save == current
		l.Makers = append(l.Makers, m)
	}
	return rows.Err()
}
