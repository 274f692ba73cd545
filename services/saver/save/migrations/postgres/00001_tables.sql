-- +goose Up

-- Savers that start at once take turns by an advisory lock; should it not hold (a
-- pooler between), the second version row breaks this index and all is rolled back.
CREATE UNIQUE INDEX segue_saver_migrations_once ON segue_saver_migrations (version_id);

CREATE TABLE documents (
    run_id     text NOT NULL,
    step       text NOT NULL,
    collection text NOT NULL,
    url        text NOT NULL,
    sha256     text NOT NULL,
    media_type text NOT NULL,
    size       bigint NOT NULL,  -- bytes
    fetched_at timestamptz,
    saved_at   timestamptz NOT NULL,
    records    bigint NOT NULL,
    PRIMARY KEY (run_id, step)
);
CREATE INDEX documents_content ON documents (sha256, collection);

CREATE TABLE records (
    collection text NOT NULL,
    key        text NOT NULL,
    data       jsonb NOT NULL,
    run_id     text NOT NULL,
    save       bigint NOT NULL,
    ordinal    bigint NOT NULL,
    saved_at   timestamptz NOT NULL,
    PRIMARY KEY (collection, key)
);

CREATE TABLE barriers (
    run_id text NOT NULL,
    step   text NOT NULL,
    op     text NOT NULL CHECK (op IN ('do', 'undo')),
    at     timestamptz NOT NULL,
    PRIMARY KEY (run_id, step, op)
);

CREATE TABLE saves (
    save       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id     text NOT NULL,
    step       text NOT NULL,
    collection text NOT NULL,
    url        text NOT NULL,
    sha256     text NOT NULL,
    media_type text NOT NULL,
    size       bigint NOT NULL,
    fetched_at timestamptz,
    saved_at   timestamptz NOT NULL,
    records    bigint NOT NULL,
    inserted   bigint NOT NULL DEFAULT 0,
    updated    bigint NOT NULL DEFAULT 0,
    logged     bigint NOT NULL DEFAULT 0,  -- entries written to undo_log
    UNIQUE (run_id, step)
);
CREATE INDEX saves_content ON saves (sha256, collection);
CREATE INDEX saves_saved_at ON saves (collection, saved_at);

CREATE TABLE undo_log (
    collection    text NOT NULL,
    key           text NOT NULL,
    save          bigint NOT NULL,
    ordinal       bigint NOT NULL,
    changed       boolean NOT NULL,  -- false: the same data was there, and nothing below is set
    data          jsonb,
    prev_run_id   text,              -- null: there was no row
    prev_save     bigint,
    prev_ordinal  bigint,
    prev_saved_at timestamptz,
    PRIMARY KEY (collection, save, key)
);
CREATE INDEX undo_log_chain ON undo_log (collection, key, save);
