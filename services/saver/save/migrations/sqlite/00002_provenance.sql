-- +goose Up

-- Without rowids a record is written to one tree and not to two, an entry of the
-- undo log to two and not to three. Names and columns stay what they were.
CREATE TABLE records_2 (
    collection TEXT NOT NULL,
    key        TEXT NOT NULL,
    data       TEXT NOT NULL,
    run_id     TEXT NOT NULL,
    save       INTEGER NOT NULL,
    ordinal    INTEGER NOT NULL,
    saved_at   TEXT NOT NULL,
    PRIMARY KEY (collection, key)
) STRICT, WITHOUT ROWID;
INSERT INTO records_2 SELECT collection, key, data, run_id, save, ordinal, saved_at FROM records ORDER BY collection, key;
DROP TABLE records;
ALTER TABLE records_2 RENAME TO records;

CREATE TABLE undo_log_2 (
    collection    TEXT NOT NULL,
    key           TEXT NOT NULL,
    save          INTEGER NOT NULL,
    ordinal       INTEGER NOT NULL,            -- 0: the document has no such record
    changed       INTEGER NOT NULL,            -- 0: it was there like that, and nothing below is set
    data          TEXT,
    prev_run_id   TEXT,                        -- null: there was no row
    prev_save     INTEGER,
    prev_ordinal  INTEGER,
    prev_saved_at TEXT,
    absent        INTEGER NOT NULL DEFAULT 0,  -- 1: behind this save there is no row
    PRIMARY KEY (collection, key, save)
) STRICT, WITHOUT ROWID;
INSERT INTO undo_log_2 SELECT collection, key, save, ordinal, changed, data, prev_run_id, prev_save, prev_ordinal, prev_saved_at, 0
    FROM undo_log ORDER BY collection, key, save;
DROP TABLE undo_log;
ALTER TABLE undo_log_2 RENAME TO undo_log;
CREATE INDEX undo_log_save ON undo_log (collection, save);
CREATE INDEX undo_log_absent ON undo_log (collection, key) WHERE absent = 1;

ALTER TABLE saves ADD COLUMN mode TEXT NOT NULL DEFAULT 'upsert';
ALTER TABLE saves ADD COLUMN source TEXT NOT NULL DEFAULT '';         -- the URL that the run was given
ALTER TABLE saves ADD COLUMN recipe TEXT NOT NULL DEFAULT '';         -- digest; '': not known
ALTER TABLE saves ADD COLUMN definition TEXT NOT NULL DEFAULT '';     -- digest of the saga's definition
ALTER TABLE saves ADD COLUMN etag TEXT NOT NULL DEFAULT '';
ALTER TABLE saves ADD COLUMN last_modified TEXT NOT NULL DEFAULT '';
ALTER TABLE saves ADD COLUMN versions TEXT NOT NULL DEFAULT '{}';     -- JSON: program => version
ALTER TABLE saves ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE saves ADD COLUMN changes INTEGER NOT NULL DEFAULT 1;      -- 0: the collection was like that before it
UPDATE saves SET changes = inserted + updated;
CREATE INDEX saves_source ON saves (source, recipe, save) WHERE recipe <> '';
CREATE INDEX saves_recipe ON saves (sha256, recipe, collection, save) WHERE recipe <> '';
CREATE INDEX saves_changes ON saves (collection, save) WHERE changes > 0;

ALTER TABLE documents ADD COLUMN recipe TEXT NOT NULL DEFAULT '';
ALTER TABLE documents ADD COLUMN definition TEXT NOT NULL DEFAULT '';
ALTER TABLE documents ADD COLUMN etag TEXT NOT NULL DEFAULT '';
ALTER TABLE documents ADD COLUMN last_modified TEXT NOT NULL DEFAULT '';
ALTER TABLE documents ADD COLUMN versions TEXT NOT NULL DEFAULT '{}';

CREATE TABLE skips (
    run_id TEXT NOT NULL,
    step   TEXT NOT NULL,
    save   INTEGER NOT NULL,  -- that had saved it
    maker  TEXT NOT NULL,     -- the run of that save, at the time
    at     TEXT NOT NULL,
    PRIMARY KEY (run_id, step)
) STRICT, WITHOUT ROWID;
CREATE INDEX skips_save ON skips (save, at);
