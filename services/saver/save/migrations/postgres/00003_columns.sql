-- +goose Up

-- The columns of the views: a collection with columns has a view of its name. Every
-- record of a collection, and of its undo log, fits them. A migration that
-- gives records another name has to reckon with the views.
CREATE TABLE columns (
    collection  text NOT NULL,
    name        text NOT NULL,
    position    bigint NOT NULL,       -- in the view, from 1, behind the saver's own
    path        text NOT NULL,         -- JSON pointer into a record
    type        text NOT NULL,
    run_id      text NOT NULL,         -- that declared it so
    step        text NOT NULL,
    declared_at timestamptz NOT NULL,
    PRIMARY KEY (collection, name)
);
