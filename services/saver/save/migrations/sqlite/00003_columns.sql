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

-- What SQLite is to think of the tables, because nobody analyzes them: large
-- collections, and saves that are small beside them. Else it would go through all that
-- there is of a collection for the few entries of a save.
ANALYZE sqlite_schema;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('records', 'records', '10000000 1000000 1'),
    ('undo_log', 'undo_log', '20000000 2000000 2 1'),
    ('undo_log', 'undo_log_save', '20000000 2000000 100 1'),
    ('undo_log', 'undo_log_absent', '20000 2000 2 1');
ANALYZE sqlite_schema;
