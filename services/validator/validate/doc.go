// Package validate is the validator: it says whether a document is what it is
// taken for, before anything is made of it.
//
//	input  => document, format?, records?, schema?
//	output => format, records (how many), delimiter (CSV only)
//
// A document passes two checks. It is well-formed in its format:
//
//	json    one JSON value
//	ndjson  one JSON value a line; lines of white space only are skipped
//	csv     what package tabular reads: a header, then rows of as many fields
//
// and it fits the JSON Schema, if there is one (draft 2020-12 unless $schema says
// otherwise). What the schema speaks of depends on the format:
//
//	json                 the whole document, which must fit into memory (MaxWhole)
//	json with records    each element of the array that the JSON pointer selects
//	ndjson               each line
//	csv                  each row, as an object of strings by column name
//
// JSON is that of RFC 8259 in its strict reading (RFC 7493): UTF-8 without
// exception, no lone surrogates, no name twice in an object. A byte order mark at
// the very beginning is skipped, in every format.
//
// A format that is given holds. Otherwise the media type decides, then the
// extension of the URL, then the content.
//
// Everything but a whole document under a schema is read as a stream, so that the
// memory does not depend on the document's size. Everything is bounded, see [Config]:
// documents and schemas come from strangers.
//
// A document that fails is a permanent failure with one of the Code constants and
// [Details], which lists what is wrong with pointer and line. A store that cannot
// be read is a failure that may be tried again; so a verdict is given only on
// bytes whose digest the store has confirmed.
package validate
