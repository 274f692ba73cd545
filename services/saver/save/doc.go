// Package save is the saver: a service that writes the records of a document
// into a database, and takes them back.
//
// The database is SQLite or PostgreSQL. Two tables are for everybody:
//
//	documents (run_id, step)     => collection, url, sha256, media_type, size, fetched_at, saved_at, records
//	records   (collection, key)  => data, run_id, save, ordinal, saved_at
//
// data is the record as JSON: text in SQLite, jsonb in PostgreSQL. run_id,
// ordinal (the position in its document, from 1) and saved_at say which save made
// the data what it is; a save that finds the same data leaves the row alone.
// Beside what is shown, documents have the digests of definition and recipe, etag,
// last_modified and the versions of the programs (JSON), where a run told them.
// Times are UTC: text like 2026-01-02T15:04:05.000000Z in SQLite, timestamptz in
// PostgreSQL. Five tables are the saver's own:
//
//	barriers  (run_id, step, op)      => at; op is "do" or "undo"
//	saves     (save)                  => what one do read and did; its number grows with each
//	undo_log  (collection, key, save) => what was there before that save
//	skips     (run_id, step)          => the save that had done the same
//	columns   (collection, name)      => path and type, for the view of the collection
//
// Which migrations have run is in segue_saver_migrations. Migrations take nothing
// away that others read.
//
// # One command, one transaction
//
// Records are first streamed into a temporary table, outside of any lock. Then
// one transaction writes the barrier row, the records, the document and the undo
// log, or nothing of it.
//
// The barrier makes do and undo of a (run, step) harmless in any order and number.
// A do inserts "do" and gives way to one that is there. An undo inserts "undo" and
// tries "do" as well: if that succeeds, nothing has been done, and a do that
// comes later finds its place taken. At the same moment, one waits for the other
// on the row.
//
// # Undo
//
// The saves of a key form a chain in undo_log, in the order of their numbers.
// An entry holds what the save replaced; or nothing but the fact that the same
// data was there already (changed is false), so that undoing the save which made
// it does not take it away from this one. Undo takes one link out:
//
//	last in the chain              => the row becomes what the entry holds, or goes
//	next link changed the row      => the next entry now holds what ours held
//	next link found our data there => the same, and the row is now its own
//
// Mode replace removes rows: such an entry says that behind the save there is no
// row (absent). It is a link like any other, and a later replacing save that does not
// have the key either logs that it was away already.
//
// So the table is at all times what the saves that are not undone, replayed in
// their order, would make it. Entries are kept for [Config.UndoKeep]; a save whose
// entries have left cannot be undone any more, and says so.
//
// # Done already
//
// A save is skipped if one with the same document, recipe and collection stands:
// if no save behind it in the collection has changed rows. The column changes of
// saves counts what a save changed, and what it inherited in an undo. The catalog
// ([NewCatalog]) looks by URL in place of the document, before it is fetched. Neither
// needs the undo log. If the save is undone, the first run that was skipped for it
// becomes its maker: it keeps its number, and so its place in every chain.
//
// # Columns
//
// A collection for which columns were declared has a view of its name, which takes
// them from data. So they are in step with the records by themselves, through every undo.
// For the view never to fail, every record of the collection and of its undo log
// fits its columns at all times: see [Column] and declare.go.
//
// # Comparing
//
// PostgreSQL compares data as jsonb: the order of members and the spelling of
// numbers do not count. SQLite keeps the text and compares that.
package save
