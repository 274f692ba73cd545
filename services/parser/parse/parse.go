// Package parse turns a document into records.
//
// A record is one JSON value. The records of a document are a document
// themselves, of media type application/x-ndjson: one record a line, compact,
// each line ended by LF.
//
//	json, no pointer  => the elements of an array at the top, else the whole document
//	json, a pointer   => the elements of the array there
//	ndjson            => the lines that are not empty
//	csv               => an object of strings for each row, named by the header, in its order
//
// What JSON says is kept to the letter: numbers with all their digits, the
// escapes in strings, the order of members. Only white space between tokens
// goes. Values of CSV are strings always; what they mean is for who knows them.
//
// A document is read once, as a stream: what is in memory is one record and
// buffers, however large the document is. It is refused whole for any flaw, also
// one behind the last record, and then nothing has been written. The validator
// has seen the same document before; parse does not rely on it.
package parse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"segue/document"
	"segue/participant"
)

// Name is the name of the service.
const Name = "parser"

// MediaType is the media type of the records.
const MediaType = "application/x-ndjson"

// The formats.
const (
	FormatJSON   = "json"
	FormatNDJSON = "ndjson"
	FormatCSV    = "csv"
)

// Input is what a command asks for.
type Input struct {
	// Document is the document to parse. Required.
	Document document.Document `json:"document"`
	// Format is "json", "ndjson" or "csv". Required; the validator's output has it.
	Format string `json:"format"`
	// Records is an RFC 6901 JSON pointer to the array of records in a JSON
	// document; "" is the top. Absent means the array at the top or, where there is
	// none, the whole document as one record. Only for JSON.
	Records *string `json:"records,omitempty"`
	// Delimiter is the one character between the fields of CSV. Empty means that it
	// is found out. Only for CSV.
	Delimiter string `json:"delimiter,omitempty"`
}

// Output is what a completed command answers.
type Output struct {
	// Records holds the records. URL and time are those of the parsed document.
	Records document.Document `json:"records"`
	// Count is their number. It may be 0.
	Count int64 `json:"count"`
}

// Parser is the handler. Its methods may be called concurrently.
type Parser struct {
	cfg  Config
	docs document.Store
}

// NewParser returns a Parser that reads from docs and writes to it. It returns
// an error for a negative limit.
func NewParser(cfg Config, docs document.Store) (*Parser, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &Parser{cfg: cfg, docs: docs}, nil
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
	if err := c.Input.check(); err != nil {
		return Output{}, &participant.Error{Code: participant.CodeBadInput, Permanent: true, Err: fmt.Errorf("check input: %w", err)}
	}
	doc, err := p.docs.Open(ctx, c.Input.Document.Ref)
	if err != nil {
		return Output{}, storeFailure("open document", err)
	}
	defer doc.Close() // was only read, and the reads have been checked

	in := &input{ctx: ctx, r: doc}
	records := &records{ctx: ctx, cfg: p.cfg, open: func() (source, error) { return p.open(in, c.Input) }}
	ref, err := p.docs.Put(ctx, document.Name(c.Run, c.Step, c.Attempt), records)
	switch {
	case in.err != nil:
		// Whatever the parser made of it, this is what happened.
		return Output{}, storeFailure("read document", in.err)
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
	return Output{Records: out, Count: records.count}, nil
}

// Undo releases what the attempts at a step have written.
func (p *Parser) Undo(ctx context.Context, u participant.Undo[Input, Output]) error {
	return document.Release(ctx, p.docs, u.Run, u.Step, u.Attempts)
}

// open begins to read a document.
func (p *Parser) open(r io.Reader, in Input) (source, error) {
	switch in.Format {
	case FormatJSON:
		return openJSON(r, in.Records, p.cfg)
	case FormatNDJSON:
		return openNDJSON(r, p.cfg)
	default: // check has seen to the rest
		return openCSV(r, in.Delimiter, p.cfg)
	}
}

func (in Input) check() error {
	switch in.Format {
	case FormatJSON, FormatNDJSON, FormatCSV:
	case "":
		return errors.New("format is missing; want json, ndjson or csv")
	default:
		return fmt.Errorf("format %q is unknown; want json, ndjson or csv", clip(in.Format))
	}
	if in.Records != nil {
		if in.Format != FormatJSON {
			return fmt.Errorf("records is a JSON pointer, the format is %s", in.Format)
		}
		if !jsontext.Pointer(*in.Records).IsValid() {
			return fmt.Errorf("records %q is not a JSON pointer", clip(*in.Records))
		}
	}
	if in.Delimiter != "" {
		if in.Format != FormatCSV {
			return fmt.Errorf("delimiter is for csv, the format is %s", in.Format)
		}
		switch r, n := utf8.DecodeRuneInString(in.Delimiter); {
		case n < len(in.Delimiter), r == utf8.RuneError, r == '"', r == '\r', r == '\n', r == 0:
			return fmt.Errorf("delimiter %q is not one character that can stand between fields", clip(in.Delimiter))
		}
	}
	return nil
}
