// Package parse turns a document into records.
//
// A record is one JSON value. The records of a document are a document
// themselves, of media type application/x-ndjson: one record a line, compact,
// each line ended by LF.
//
//	json, no pointer  => the elements of an array at the top, else the whole document
//	json, a pointer   => the elements of the array there
//	ndjson            => the lines that are not empty
//	csv               => an object for each row, named by the header, in its order
//	xml, no path      => an object with the root element
//	xml, a path       => the elements there, as xmltodict makes JSON of them
//	parquet           => an object for each row; see package columnar
//
// What JSON says is kept to the letter: numbers with all their digits, the
// escapes in strings, the order of members. Only white space between tokens
// goes. Values of CSV are strings, or with a table schema what it says of them,
// digit by digit. Text of XML is text: it has no types.
//
// Any of them may come in a gzip stream or as a member of a zip file, and each
// record may go through a jq program; see package transform.
//
// A document is read once, as a stream: what is in memory is one record and
// buffers, however large the document is. Only zip and Parquet files, which are
// not read from front to back, are in a temporary file meanwhile. It is refused
// whole for any flaw, also one behind the last record, and then nothing has been
// written. The validator has seen the same document before; parse does not rely
// on it.
package parse

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"segue/archive"
	"segue/document"
	"segue/participant"
)

// Name is the name of the service.
const Name = "parser"

// MediaType is the media type of the records.
const MediaType = "application/x-ndjson"

// The formats.
const (
	FormatJSON    = "json"
	FormatNDJSON  = "ndjson"
	FormatCSV     = "csv"
	FormatXML     = "xml"
	FormatParquet = "parquet"
)

// Input is what a command asks for.
type Input struct {
	// Document is the document to parse. Required.
	Document document.Document `json:"document"`
	// Format is "json", "ndjson", "csv", "xml" or "parquet". Required; the
	// validator's output has it.
	Format string `json:"format"`
	// Container is "gzip" or "zip" if the document is in one; the validator's output
	// has it.
	Container string `json:"container,omitempty"`
	// Member is the name of the member to read. Empty means the only one. Only for
	// zip.
	Member string `json:"member,omitempty"`
	// Records says which parts of a document are records. For JSON it is an RFC 6901
	// pointer to the array of records; "" is the top. Absent means the array at the
	// top or, where there is none, the whole document as one record. For XML it is a
	// path of elements such as "/feed/entry", with prefixes as they stand there.
	// Absent means the whole document as one record. Not for other formats.
	Records *string `json:"records,omitempty"`
	// Delimiter is the one character between the fields of CSV. Empty means that it
	// is found out. Only for CSV.
	Delimiter string `json:"delimiter,omitempty"`
	// Table is a Frictionless Table Schema, or "name@version" of one. Values get the
	// types of its fields. Only for CSV.
	Table json.RawMessage `json:"table,omitempty"`
	// Transform is a jq program. What it makes of a record, none or any number of
	// values, are the records.
	Transform string `json:"transform,omitempty"`
}

// Output is what a completed command answers.
type Output struct {
	// Records holds the records. URL and time are those of the parsed document.
	Records document.Document `json:"records"`
	// Count is their number. It may be 0.
	Count int64 `json:"count"`
	// Version is that of the parser.
	Version string `json:"version,omitempty"`
}

// Parser is the handler. Its methods may be called concurrently.
type Parser struct {
	cfg     Config
	docs    document.Store
	large   *document.Large
	metrics *metrics
}

// NewParser returns a Parser that reads from docs and writes to it. It returns
// an error for a negative limit.
func NewParser(cfg Config, docs document.Store) (*Parser, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	m := newMetrics(cfg.Metrics)
	return &Parser{cfg: cfg, docs: docs, large: document.NewLarge(cfg.MaxLarge, m.waits.Inc), metrics: m}, nil
}

// New returns the service "parser".
func New(cfg Config, docs document.Store) (participant.Service, error) {
	p, err := NewParser(cfg, docs)
	if err != nil {
		return participant.Service{}, err
	}
	return participant.New(Name, p.Parse, p.Undo), nil
}

// Parse writes the records of a document and returns where they are. A flaw of
// the input or the document is a permanent [participant.Error] with one of the
// codes of this package and, where it is in the document, a [Place] as details.
// Errors of the store and the end of ctx may be tried again.
func (p *Parser) Parse(ctx context.Context, c participant.Command[Input]) (Output, error) {
	out, err := p.parse(ctx, c)
	p.metrics.count(err)
	return out, err
}

func (p *Parser) parse(ctx context.Context, c participant.Command[Input]) (_ Output, err error) {
	turn := p.large.Turn(ctx)
	defer turn.End()
	recipe, err := p.prepare(ctx, c.Input, turn)
	if err != nil {
		return Output{}, err
	}
	content, err := p.openContent(ctx, c.Input, turn)
	if err != nil {
		return Output{}, err
	}
	records := &records{
		ctx: ctx, cfg: p.cfg, transform: recipe.transform, turn: turn, done: content.Mark,
		open: func() (source, error) { return p.open(content, recipe) },
	}
	defer func() { err = errors.Join(err, records.close(), content.Close()) }()
	ref, err := p.docs.Put(ctx, document.Name(c.Run, c.Step, c.Attempt), records)
	switch explained := contentFailure(content.Err()); {
	case explained != nil:
		// Whatever the parser made of it, this is what happened.
		return Output{}, explained
	case records.err != nil && !errors.Is(records.err, io.EOF):
		return Output{}, records.err
	case err != nil:
		return Output{}, fmt.Errorf("store records: %w", err)
	case records.err == nil:
		// The store stopped before the end, so what it has is not the records.
		return Output{}, fmt.Errorf("store records: %w", io.ErrShortWrite)
	}
	out := c.Input.Document
	out.Ref, out.MediaType = ref, MediaType
	return Output{Records: out, Count: records.count, Version: p.cfg.Version}, nil
}

// Undo releases what the attempts at a step have written.
func (p *Parser) Undo(ctx context.Context, u participant.Undo[Input, Output]) error {
	return document.Release(ctx, p.docs, u.Run, u.Step, u.Attempts)
}

// open begins to read what there is to parse.
func (p *Parser) open(doc *archive.Document, r recipe) (source, error) {
	switch r.Format {
	case FormatJSON:
		return openJSON(doc.Content, r.Records, p.cfg)
	case FormatNDJSON:
		return openNDJSON(doc.Content, p.cfg)
	case FormatXML:
		return openXML(doc.Content, r.Records, p.cfg)
	case FormatParquet:
		return openParquet(doc, r.turn, p.cfg)
	default: // check has seen to the rest
		return openCSV(doc.Content, r, p.cfg)
	}
}
