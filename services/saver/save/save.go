package save

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"segue/document"
	"segue/participant"
)

// Name is the name of the service.
const Name = "saver"

// Input is what a step asks the saver to do.
type Input struct {
	// Document is where the records came from: the document as it was fetched.
	Document document.Document `json:"document,omitzero"`
	// Records is NDJSON in the document store, one record a line.
	Records document.Document `json:"records,omitzero"`
	// Unchanged says that the document is that of Known, and that there is neither
	// Document nor Records: it was not fetched again.
	Unchanged bool `json:"unchanged,omitempty"`
	// Known is what the catalog answered.
	Known *Saved `json:"known,omitempty"`
	// Collection takes the records; see [MaxCollection]. Defaults to the last path
	// element of Document.URL without its extension, else its host, else "records".
	Collection string `json:"collection,omitempty"`
	// Key is a JSON pointer to what identifies a record in the collection: a string,
	// number or boolean. Defaults to the position of the record, from 1.
	Key *string `json:"key,omitempty"`
	// Mode is what becomes of the records that are there: see [ModeUpsert], which is
	// the default, [ModeAppend] and [ModeReplace].
	Mode string `json:"mode,omitempty"`
	// Columns declares columns of the collection, by their names. A collection with
	// columns has a view of its name, where plain SQL reads them with their types.
	Columns map[string]Column `json:"columns,omitempty"`

	// URL is the one that the run was given, before any redirect. Defaults to
	// Document.URL. ETag and LastModified are what the origin said of the document.
	URL          string `json:"url,omitempty"`
	ETag         string `json:"etag,omitempty"`
	LastModified string `json:"last_modified,omitempty"`
	// Recipe is what was done to the document. Where it is known, a save that stands
	// already is skipped, unless Force is set.
	Recipe Recipe `json:"recipe,omitzero"`
	Force  bool   `json:"force,omitempty"`
	// Versions are those of the programs that had a part in it: name => version.
	Versions map[string]string `json:"versions,omitempty"`
}

// The modes of a save.
const (
	// ModeUpsert inserts records with new keys and replaces those with known ones.
	ModeUpsert = "upsert"
	// ModeAppend only adds. Without a key in the input, a record's key is
	// run/step/position, so that the records of another run are others; with one, a
	// key that is there already fails the save.
	ModeAppend = "append"
	// ModeReplace makes the collection what the document is: as upsert, and records
	// with other keys go.
	ModeReplace = "replace"
)

// Output is what became of the records.
type Output struct {
	Collection string `json:"collection"`
	// Inserted counts new keys, Updated keys that had other data, Unchanged keys
	// that had the same.
	Inserted  int64 `json:"inserted"`
	Updated   int64 `json:"updated"`
	Unchanged int64 `json:"unchanged"`
	// Deleted counts keys that the document does not have; only in [ModeReplace].
	Deleted int64 `json:"deleted,omitempty"`
	// Total is the sum of the first three: the number of records in the document.
	Total int64 `json:"total"`
	// Database says where they are, for people: "sqlite:.segue/segue.db".
	Database string `json:"database"`
	// Skipped says that the same had been saved already, by Run, and that nothing
	// was done.
	Skipped bool   `json:"skipped,omitempty"`
	Run     string `json:"run,omitempty"`
}

// Config sets limits. The zero value has the defaults.
type Config struct {
	// UndoKeep is how long a save can be undone. Its entries in undo_log leave after
	// that, when its collection is saved to; undoing it then fails for good. It should be
	// longer than any run may take. Defaults to 720h (30 days).
	UndoKeep time.Duration `default:"720h" env:"SEGUE_UNDO_KEEP" help:"How long a save can be undone."`
	// MaxRecords is the largest number of records in a document. Defaults to 10,000,000.
	MaxRecords int64 `default:"10000000" env:"SEGUE_MAX_RECORDS" help:"Largest number of records in a document."`
	// Metrics is where saves, and the limits that they run into, are counted. Defaults
	// to nowhere.
	Metrics prometheus.Registerer `kong:"-"`
	// Version is that of the program, which joins those of the input as that of the
	// saver. Defaults to none.
	Version string `kong:"-"`
}

// Defaults of [Config].
const (
	DefaultUndoKeep         = 30 * 24 * time.Hour
	DefaultMaxRecords int64 = 10_000_000
)

func (c Config) withDefaults() (Config, error) {
	c.UndoKeep = cmp.Or(c.UndoKeep, DefaultUndoKeep)
	c.MaxRecords = cmp.Or(c.MaxRecords, DefaultMaxRecords)
	switch {
	case c.UndoKeep < 0:
		return c, errors.New("undo keep must be longer than 0")
	case c.MaxRecords < 0:
		return c, errors.New("max records must be more than 0")
	}
	return c, nil
}

// saver has the two handlers. They may run any number of times at once.
type saver struct {
	cfg     Config
	db      *DB
	docs    document.Store
	now     func() time.Time
	metrics *metrics
}

// New makes the service. It reads from docs and leaves db open. The error is
// about cfg.
func New(cfg Config, db *DB, docs document.Store) (participant.Service, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return participant.Service{}, err
	}
	s := &saver{cfg: cfg, db: db, docs: docs, now: time.Now, metrics: newMetrics(cfg.Metrics)}
	return participant.New(Name, s.do, s.undo), nil
}

// do saves the records of a document, once for each (run, step): however often
// it is asked, it answers what it did the first time. All its errors but one say
// that nothing was done; see [DB.transact] for that one.
func (s *saver) do(ctx context.Context, c participant.Command[Input]) (out Output, err error) {
	defer func() { s.metrics.failed(err) }()
	j, err := newJob(work{c.Run, c.Step}, s.signed(c.Input))
	if err != nil {
		return Output{}, err
	}
	if out, err = s.save(ctx, j); err != nil {
		return Output{}, failure("save records", err)
	}
	return out, nil
}

// signed adds the saver's version to an input.
func (s *saver) signed(in Input) Input {
	if s.cfg.Version != "" {
		versions := map[string]string{Name: s.cfg.Version}
		maps.Copy(versions, in.Versions)
		in.Versions = versions
	}
	return in
}

// undo takes a save back. It needs nothing but the database: whether and what
// there is to undo, the barrier and the undo log know.
func (s *saver) undo(ctx context.Context, u participant.Undo[Input, Output]) error {
	if err := s.takeBack(ctx, work{u.Run, u.Step}); err != nil {
		s.metrics.failed(err)
		return failure("undo save", err)
	}
	return nil
}
