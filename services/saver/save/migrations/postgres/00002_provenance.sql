-- +goose Up

-- absent: behind this save there is no row. The ordinal of such an entry is 0.
ALTER TABLE undo_log ADD COLUMN absent boolean NOT NULL DEFAULT false;

-- The keys of a chain in one tree, and the saves in one that is small, because all
-- entries of a save are equal in it.
ALTER TABLE undo_log DROP CONSTRAINT undo_log_pkey, ADD PRIMARY KEY (collection, key, save);
DROP INDEX undo_log_chain;
CREATE INDEX undo_log_save ON undo_log (collection, save);

CREATE INDEX undo_log_absent ON undo_log (collection, key) WHERE absent;

ALTER TABLE saves
    ADD COLUMN mode          text NOT NULL DEFAULT 'upsert',
    ADD COLUMN source        text NOT NULL DEFAULT '',    -- the URL that the run was given
    ADD COLUMN recipe        text NOT NULL DEFAULT '',    -- digest; '': not known
    ADD COLUMN definition    text NOT NULL DEFAULT '',    -- digest of the saga's definition
    ADD COLUMN etag          text NOT NULL DEFAULT '',
    ADD COLUMN last_modified text NOT NULL DEFAULT '',
    ADD COLUMN versions      text NOT NULL DEFAULT '{}',  -- JSON: program => version
    ADD COLUMN deleted       bigint NOT NULL DEFAULT 0,
    ADD COLUMN changes       bigint NOT NULL DEFAULT 1;   -- 0: the collection was like that before it
UPDATE saves SET changes = inserted + updated;
CREATE INDEX saves_source ON saves (md5(source), recipe, save) WHERE recipe <> '';
CREATE INDEX saves_recipe ON saves (sha256, recipe, collection, save) WHERE recipe <> '';
CREATE INDEX saves_changes ON saves (collection, save) WHERE changes > 0;

ALTER TABLE documents
    ADD COLUMN recipe        text NOT NULL DEFAULT '',
    ADD COLUMN definition    text NOT NULL DEFAULT '',
    ADD COLUMN etag          text NOT NULL DEFAULT '',
    ADD COLUMN last_modified text NOT NULL DEFAULT '',
    ADD COLUMN versions      text NOT NULL DEFAULT '{}';

CREATE TABLE skips (
    run_id text NOT NULL,
    step   text NOT NULL,
    save   bigint NOT NULL,  -- that had saved it
    maker  text NOT NULL,    -- the run of that save, at the time
    at     timestamptz NOT NULL,
    PRIMARY KEY (run_id, step)
);
CREATE INDEX skips_save ON skips (save, at);
