package validate

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"segue/document"
	"segue/participant"
)

// Name is the name of the service.
const Name = "validator"

// Input is what a command asks for.
type Input struct {
	Document document.Document `json:"document"`
	// Format is json, ndjson or csv. Empty means that it is to be told from the
	// document's media type, URL and content, in this order.
	Format string `json:"format,omitempty"`
	// Records is the JSON pointer (RFC 6901) to the array that holds the records,
	// empty for the document itself. Nil means that there are none. Only for json.
	Records *string `json:"records,omitempty"`
	// Schema is a JSON Schema. Absent or null means that there is none.
	Schema json.RawMessage `json:"schema,omitempty"`
}

// Output describes a document that has passed.
type Output struct {
	Format string `json:"format"`
	// Records is how many there are: lines, rows, elements of the array that the
	// records pointer selects or that the document is. Any other document is one.
	Records int64 `json:"records"`
	// Delimiter is that of CSV.
	Delimiter string `json:"delimiter,omitempty"`
}

// Validator checks documents. It may be used concurrently.
type Validator struct {
	cfg      Config
	docs     document.Store
	compiler *compiler
	shelf    shelf
}

// New makes the service.
func New(cfg Config, docs document.Store) (participant.Service, error) {
	v, err := NewValidator(cfg, docs)
	if err != nil {
		return participant.Service{}, err
	}
	return participant.New[Input, Output](Name, v.Validate, nil), nil
}

// NewValidator makes the handler alone. It fails for a negative or impossible
// limit, and for a text in cfg.Schemas that is not JSON.
func NewValidator(cfg Config, docs document.Store) (*Validator, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("make validator: %w", err)
	}
	compiler, err := newCompiler(cfg)
	if err != nil {
		return nil, fmt.Errorf("make validator: %w", err)
	}
	return &Validator{cfg: cfg, docs: docs, compiler: compiler}, nil
}

// Validate checks a document. It changes nothing, so that it may run any number
// of times. Errors of the store and of the context are returned as they are; all
// others are a permanent [participant.Error].
func (v *Validator) Validate(ctx context.Context, cmd participant.Command[Input]) (Output, error) {
	in := cmd.Input
	c := check{ctx: ctx, cfg: &v.cfg, report: report{limit: v.cfg.MaxViolations}}
	if err := c.take(in); err != nil {
		return Output{}, err
	}
	if len(in.Schema) > 0 && string(in.Schema) != "null" {
		var err error
		if c.schema, err = v.schema(in.Schema); err != nil {
			return Output{}, err
		}
		defer v.shelf.put(c.schema)
	}
	doc, err := v.docs.Open(ctx, in.Document.Ref)
	if err != nil {
		return Output{}, storeError(err)
	}
	defer doc.Close() // an error here would say nothing about what has been read
	r := bufio.NewReaderSize(doc, prefixSize)
	format, because, err := detect(in.Format, in.Document, r)
	if err != nil {
		return Output{}, storeError(err)
	}
	if err := c.run(format, r); err != nil {
		return Output{}, storeError(err)
	}
	if c.report.empty() {
		return c.output(format), nil
	}
	if err := v.locate(ctx, in.Document.Ref, c.report.list); err != nil {
		return Output{}, storeError(err)
	}
	return Output{}, c.report.err(format, because)
}

// take looks at the command.
func (c *check) take(in Input) error {
	if !slices.Contains([]string{"", JSON, NDJSON, CSV}, in.Format) {
		return badInput("format %q is none of json, ndjson and csv", clip(in.Format, maxQuote))
	}
	if in.Records == nil {
		return nil
	}
	p := jsontext.Pointer(*in.Records)
	if !p.IsValid() {
		return badInput("records %q is no JSON pointer, such as /items", clip(*in.Records, maxQuote))
	}
	c.records = slices.AppendSeq([]string{}, p.Tokens()) // not nil, though maybe empty
	return nil
}

// run checks the document to its end. An error means that there is no verdict.
func (c *check) run(format string, r *bufio.Reader) error {
	switch {
	case format == "":
		c.report.add(CodeUnknownFormat, Violation{Message: "the format is not known, say it with format", offset: -1})
	case c.records != nil && format != JSON:
		c.report.add(participant.CodeBadInput, Violation{Message: "records is for json only", offset: -1})
	default:
		if err := c.as(format, r); err != nil {
			return err
		}
	}
	// A verdict, good or bad, is one on the right bytes: the store compares the
	// digest at the end.
	_, err := io.Copy(io.Discard, r)
	return err
}

func (c *check) output(format string) Output {
	out := Output{Format: format, Records: c.seen}
	if c.delim != 0 {
		out.Delimiter = string(c.delim)
	}
	return out
}

// schema returns a compiled schema that nobody else uses.
func (v *Validator) schema(text []byte) (*schema, error) {
	if s := v.shelf.take(text); s != nil {
		return s, nil
	}
	return v.compiler.compile(text)
}

// locate opens the document again to find the lines that are not known.
func (v *Validator) locate(ctx context.Context, ref document.Ref, list []Violation) error {
	if !slices.ContainsFunc(list, func(v Violation) bool { return v.offset >= 0 }) {
		return nil
	}
	doc, err := v.docs.Open(ctx, ref)
	if err != nil {
		return err
	}
	defer doc.Close()
	r := bufio.NewReader(doc)
	if err := skipBOM(r); err != nil && !errors.As(err, new(*fault)) {
		return err
	}
	return locate(r, list)
}

// storeError says what an error of the store means. It may pass, even if the
// document seems to be gone: a copy of the store that lags behind knows it later.
func storeError(err error) error {
	err = fmt.Errorf("read document: %w", err)
	switch {
	case errors.Is(err, document.ErrNotFound):
		return &participant.Error{Code: CodeNotFound, Err: err}
	case errors.Is(err, document.ErrChanged):
		return &participant.Error{Code: CodeChanged, Err: err}
	}
	return err
}
