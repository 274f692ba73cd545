package save

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"segue/participant"
)

// CatalogName is the name of the service that knows what is saved.
const CatalogName = "catalog"

// Query is what a step asks the catalog: has this been done?
type Query struct {
	// URL is where the document is.
	URL string `json:"url"`
	// Collection is the one that was asked for; if absent, the one that the saver
	// chose then.
	Collection string `json:"collection,omitempty"`
	Recipe     Recipe `json:"recipe"`
}

// Answer is what the catalog says.
type Answer struct {
	// Saved is the save that had done it. If absent, it has to be done.
	Saved *Saved `json:"saved,omitempty"`
}

// Saved is a save whose rows are still what it made them.
type Saved struct {
	Run string `json:"run"`
	// Collection is where its rows are.
	Collection string `json:"collection"`
	// SHA256 is the digest of its document; ETag and LastModified are what the
	// origin said of it.
	SHA256       string    `json:"sha256"`
	ETag         string    `json:"etag,omitempty"`
	LastModified string    `json:"last_modified,omitempty"`
	SavedAt      time.Time `json:"saved_at"`
}

// NewCatalog makes the service that looks up in db what is saved there. It writes
// nothing, and so has nothing to undo.
func NewCatalog(db *DB) participant.Service {
	c := catalog{db}
	return participant.New[Query, Answer](CatalogName, c.look, nil)
}

type catalog struct{ db *DB }

func (c catalog) look(ctx context.Context, q participant.Command[Query]) (Answer, error) {
	recipe, err := q.Input.Recipe.digest()
	if err != nil {
		return Answer{}, participant.Permanent(participant.CodeBadInput, err)
	}
	if err := checkCollection(q.Input.Collection); err != nil {
		return Answer{}, participant.Permanent(participant.CodeBadInput, err)
	}
	source := sourceOf(q.Input.URL)
	if recipe == "" || source == "" {
		return Answer{}, nil
	}
	found, err := earlier(ctx, c.db.sql, c.db.dialect.sameSource("v.source")+` AND v.recipe = $2 AND ($3 = '' OR v.collection = $3)`, source, recipe, q.Input.Collection)
	if err != nil {
		return Answer{}, failure("look up save", err)
	}
	if found == nil {
		return Answer{}, nil
	}
	return Answer{Saved: &found.Saved}, nil
}

// standing is a save that stands, with its number.
type standing struct {
	Saved
	save int64
}

// earlier returns the newest save for which a condition on saves, named v,
// holds, if nothing that came after it changed its collection; nil if not.
// Saves that were undone are not there.
func earlier(ctx context.Context, q querier, condition string, args ...any) (*standing, error) {
	var s standing
	var stands bool
	err := q.QueryRowContext(ctx, `
		SELECT v.save, v.run_id, v.collection, v.sha256, v.etag, v.last_modified, v.saved_at, NOT EXISTS (
			SELECT 1 FROM saves n WHERE n.collection = v.collection AND n.save > v.save AND n.changes > 0)
		FROM saves v WHERE v.recipe <> '' AND `+condition+` ORDER BY v.save DESC LIMIT 1`, args...).
		Scan(&s.save, &s.Run, &s.Collection, &s.SHA256, &s.ETag, &s.LastModified, timestamp{&s.SavedAt}, &stands)
	switch {
	case errors.Is(err, sql.ErrNoRows) || err == nil && !stands:
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("look for an earlier save: %w", err)
	}
	return &s, nil
}

// timestamp scans a time of either database.
type timestamp struct{ at *time.Time }

// Scan implements [sql.Scanner].
func (t timestamp) Scan(value any) (err error) {
	switch v := value.(type) {
	case nil:
		*t.at = time.Time{}
	case time.Time:
		*t.at = v.UTC()
	case string:
		*t.at, err = time.Parse(sqliteTime, v)
	default:
		err = fmt.Errorf("a time is a %T", value)
	}
	return err
}
