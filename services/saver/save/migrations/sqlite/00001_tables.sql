-- +goose Up

-- Two savers may start at once. Each migration is one immediate transaction, and
-- the second one's version row breaks this index, so that it is rolled back whole.
CREATE UNIQUE INDEX segue_saver_migrations_once ON segue_saver_migrations (version_id);

CREATE TABLE documents (
    run_id     TEXT NOT NULL,
    step       TEXT NOT NULL,
    collection TEXT NOT NULL,
    url        TEXT NOT NULL,
    sha256     TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size       INTEGER NOT NULL,  -- bytes
    fetched_at TEXT,
    saved_at   TEXT NOT NULL,
    records    INTEGER NOT NULL,
    PRIMARY KEY (run_id, step)
) STRICT;
CREATE INDEX documents_content ON documents (sha256, collection);

CREATE TABLE records (
    collection TEXT NOT NULL,
    key        TEXT NOT NULL,
    data       TEXT NOT NULL CHECK (json_valid(data)),
    run_id     TEXT NOT NULL,
    save       INTEGER NOT NULL,
    ordinal    INTEGER NOT NULL,
    saved_at   TEXT NOT NULL,
    PRIMARY KEY (collection, key)
) STRICT;

CREATE TABLE barriers (
    run_id TEXT NOT NULL,
    step   TEXT NOT NULL,
    op     TEXT NOT NULL CHECK (op IN ('do', 'undo')),
    at     TEXT NOT NULL,
    PRIMARY KEY (run_id, step, op)
) STRICT, WITHOUT ROWID;

CREATE TABLE saves (
    save       INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used again
    run_id     TEXT NOT NULL,
    step       TEXT NOT NULL,
    collection TEXT NOT NULL,
    url        TEXT NOT NULL,
    sha256     TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size       INTEGER NOT NULL,
    fetched_at TEXT,
    saved_at   TEXT NOT NULL,
    records    INTEGER NOT NULL,
    inserted   INTEGER NOT NULL DEFAULT 0,
    updated    INTEGER NOT NULL DEFAULT 0,
    logged     INTEGER NOT NULL DEFAULT 0,  -- entries written to undo_log
    UNIQUE (run_id, step)
) STRICT;
CREATE INDEX saves_content ON saves (sha256, collection);
CREATE INDEX saves_saved_at ON saves (collection, saved_at);

CREATE TABLE undo_log (
    collection    TEXT NOT NULL,
    key           TEXT NOT NULL,
    save          INTEGER NOT NULL,
    ordinal       INTEGER NOT NULL,
    changed       INTEGER NOT NULL,  -- 0: the same data was there, and nothing below is set
    data          TEXT,
    prev_run_id   TEXT,              -- null: there was no row
    prev_save     INTEGER,
    prev_ordinal  INTEGER,
    prev_saved_at TEXT,
    PRIMARY KEY (collection, save, key)
) STRICT;
CREATE INDEX undo_log_chain ON undo_log (collection, key, save);
