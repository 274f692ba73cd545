-- +goose Up

-- The columns of the views: a collection with columns has a view of its name. Every
-- record of a collection, and of its undo log, fits them. A migration that
-- gives records another name has to reckon with the views.
CREATE TABLE columns (
    collection  TEXT NOT NULL,
    name        TEXT NOT NULL,
    position    INTEGER NOT NULL,      -- in the view, from 1, behind the saver's own
    path        TEXT NOT NULL,         -- JSON pointer into a record
    type        TEXT NOT NULL,
    run_id      TEXT NOT NULL,         -- that declared it so
    step        TEXT NOT NULL,
    declared_at TEXT NOT NULL,
    PRIMARY KEY (collection, name)
) STRICT, WITHOUT ROWID;
