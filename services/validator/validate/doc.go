// Package validate is the validator: it says whether a document is what it is
// taken for, before anything is made of it.
//
//	input  => document, format?, records?, schema?, table?, member?
//	output => format, records (how many), delimiter (CSV only), container?, member?
//
// A document passes two checks. It is well-formed in its format:
//
//	json    one JSON value
//	ndjson  one JSON value a line; lines of white space only are skipped
//	csv     what package tabular reads: a header, then rows of as many fields
//	xml     what package markup reads: XML 1.0, without a DOCTYPE
//	parquet what package columnar reads: every page of every column
//
// and it fits the Table Schema, if there is one (csv only, see package tableschema),
// and the JSON Schema, if there is one (draft 2020-12 unless $schema says
// otherwise). What the schema speaks of depends on the format:
//
//	json                 the whole document, which must fit into memory (MaxWhole)
//	json with records    each element of the array that the JSON pointer selects
//	ndjson               each line
//	csv                  each row, as an object by column name: of strings, or with a
//	                     Table Schema of typed values
//	parquet              each row, as the JSON that package columnar makes of it
//	xml                  nothing: a schema is refused
//
// JSON is that of RFC 8259 in its strict reading (RFC 7493): UTF-8 without
// exception, no lone surrogates, no name twice in an object. A byte order mark at
// the very beginning is skipped, in every format.
//
// A schema is given itself or, if it is registered, by name and version, see package
// schemas. Any document may be in a gzip or zip container, which its first bytes tell.
//
// A format that is given holds. Otherwise the media type decides, then the
// extension of the URL or of the member of a zip file, then the content.
//
// Everything but a whole document under a schema is read as a stream, or from a
// temporary file (zip, parquet), so that the memory does not depend on the document's
// size. Everything is bounded, see [Config]: documents and schemas come from
// strangers. Those that can take much memory are at work one at a time.
//
// A value that fits a schema of common keywords is mostly known for such by the
// schema's shape; what a value violates, only the library for JSON Schema says.
//
// A document that fails is a permanent failure with one of the Code constants and
// [Details], which lists what is wrong with pointer, line, column, record and how
// the value begins. A store that cannot be read is a failure that may be tried
// again; so a verdict is given only on bytes whose digest the store has confirmed.
package validate
