package validate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"segue/archive"
	"segue/document"
	"segue/participant"
	"segue/schemas"
	"segue/tableschema"
)

// Name is the name of the service.
const Name = "validator"

// Input is what a command asks for.
type Input struct {
	Document document.Document `json:"document"`
	// Format is json, ndjson, csv, xml or parquet. Empty means that it is to be told from the
	// document's media type, URL and content, in this order.
	Format string `json:"format,omitempty"`
	// Records is the JSON pointer (RFC 6901) to the array that holds the records,
	// empty for the document itself, and for xml the path of their elements, such as
	// /feed/entry. Nil means that there are none. Only for json and xml.
	Records *string `json:"records,omitempty"`
	// Schema is a JSON Schema, or a string that names one that is registered:
	// name@version. Absent or null means that there is none. Not for xml.
	Schema json.RawMessage `json:"schema,omitempty"`
	// Table is a Table Schema, or a string that names one. Only for csv.
	Table json.RawMessage `json:"table,omitempty"`
	// Member is the member of a zip file to check. Empty means its only one.
	Member string `json:"member,omitempty"`
}

// Output describes a document that has passed.
type Output struct {
	Format string `json:"format"`
	// Records is how many there are: lines, rows, elements of the array that the
	// records pointer selects or that the document is, elements at the path. Any other document is one.
	Records int64 `json:"records"`
	// Delimiter is that of CSV.
	Delimiter string `json:"delimiter,omitempty"`
	// Container is what the document was in, gzip or zip, and Member which part of
	// a zip file it is.
	Container string `json:"container,omitempty"`
	Member    string `json:"member,omitempty"`
	// Version is that of the validator.
	Version string `json:"version,omitempty"`
}

// Validator checks documents. It may be used concurrently.
type Validator struct {
	cfg      Config
	docs     document.Store
	compiler *compiler
	shelf    shelf
	large    *document.Large
	metrics  metrics
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
// limit, and for a text in cfg.KnownSchemas that is not JSON.
func NewValidator(cfg Config, docs document.Store) (*Validator, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("make validator: %w", err)
	}
	compiler, err := newCompiler(cfg)
	if err != nil {
		return nil, fmt.Errorf("make validator: %w", err)
	}
	m := newMetrics(cfg.Metrics)
	return &Validator{cfg: cfg, docs: docs, compiler: compiler, large: document.NewLarge(cfg.MaxLarge, m.waits.Inc), metrics: m}, nil
}

// Validate checks a document. It changes nothing, so that it may run any number
// of times. Errors of the store and of the context are returned as they are; all
// others are a permanent [participant.Error].
func (v *Validator) Validate(ctx context.Context, cmd participant.Command[Input]) (Output, error) {
	in := cmd.Input
	if in.Format != "" && !slices.Contains(formats, in.Format) {
		return Output{}, badInput("format %q is none of %s", clip(in.Format, maxQuote), strings.Join(formats, ", "))
	}
	c := check{ctx: ctx, cfg: &v.cfg, report: report{limit: v.cfg.MaxViolations}}
	if err := v.schemas(&c, in); err != nil {
		return Output{}, err
	}
	if c.schema != nil {
		defer v.shelf.put(c.schema)
	}
	c.turn = v.large.Turn(ctx)
	defer c.turn.End()
	out, because, err := v.read(&c, in)
	if err != nil {
		return Output{}, storeError(err)
	}
	v.metrics.count(c.report.over)
	if c.report.empty() {
		return out, nil
	}
	if err := v.locate(ctx, in, c.report.list); err != nil {
		return Output{}, storeError(err)
	}
	return Output{}, c.report.err(out.Format, because)
}

// read reads a document to its end. What is wrong with it goes into the report; the
// errors are those of the store and the context. It says why the document was read
// in its format.
func (v *Validator) read(c *check, in Input) (out Output, because string, err error) {
	doc, err := v.open(c.ctx, in, c.turn)
	if err != nil {
		return Output{Format: in.Format}, "", c.noted(err)
	}
	defer doc.Close() // what has been read has been checked
	format, because, err := detect(in.Format, in.Document, doc)
	if err == nil {
		err = c.take(in, format)
	}
	if err == nil {
		err = c.as(format, doc)
	}
	if err = c.noted(err); err == nil {
		err = doc.Drain()
	}
	return c.output(format, doc), because, err
}

// open opens a document and what contains it, which its first bytes tell.
func (v *Validator) open(ctx context.Context, in Input, turn *document.Turn) (*archive.Document, error) {
	return archive.Open(ctx, v.docs, in.Document.Ref, archive.Options{
		Recognize: true,
		Member:    in.Member,
		Limits:    archive.Limits{MaxSize: v.cfg.MaxContent, MaxRatio: v.cfg.MaxRatio, MaxMembers: v.cfg.MaxMembers},
		Turn:      turn,
		MaxFile:   v.cfg.MaxSpool,
	})
}

// schemas finds the schemas of a command.
func (v *Validator) schemas(c *check, in Input) error {
	text, err := v.resolve(c.ctx, "schema", in.Schema)
	if err == nil && text != nil {
		c.schema, err = v.schema(text)
	}
	if err != nil {
		return err
	}
	if text, err = v.resolve(c.ctx, "table", in.Table); err != nil || text == nil {
		return err
	}
	if c.table, err = tableschema.Load(text); err != nil {
		return badSchema(fmt.Sprintf("in table cannot be used: %v", err), report{})
	}
	return nil
}

// resolve returns the text of a schema, nil if there is none.
func (v *Validator) resolve(ctx context.Context, what string, given json.RawMessage) ([]byte, error) {
	text, err := schemas.Resolve(ctx, v.cfg.Schemas, given)
	switch wrong := (*schemas.Error)(nil); {
	case errors.As(err, &wrong):
		return nil, badInput("%s: %w", what, err)
	case err != nil:
		return nil, fmt.Errorf("look up %s: %w", what, err)
	case len(text) > v.cfg.MaxSchema:
		v.metrics.count([]string{limitSchema})
		return nil, badSchema(fmt.Sprintf("has %d bytes, at most %d can be", len(text), v.cfg.MaxSchema), report{})
	}
	return text, nil
}

// take looks whether what the command says goes with the format.
func (c *check) take(in Input, format string) error {
	wrong := func(message string) error {
		return &fault{code: participant.CodeBadInput, offset: -1, message: message}
	}
	switch {
	case format == "":
		return &fault{code: CodeUnknownFormat, offset: -1, message: "the format is not known, say it with format"}
	case c.table != nil && format != CSV:
		return wrong("table is for csv only")
	case c.schema != nil && format == XML:
		return wrong("schema is not for xml, of which only the form is checked: leave it out")
	case in.Records == nil:
		return nil
	}
	switch format {
	case JSON:
		p := jsontext.Pointer(*in.Records)
		if !p.IsValid() {
			return wrong(fmt.Sprintf("records %q is no JSON pointer, such as /items", clip(*in.Records, maxQuote)))
		}
		c.records = slices.AppendSeq([]string{}, p.Tokens()) // not nil, though maybe empty
	case XML:
		path, ok := elementPath(*in.Records)
		if !ok {
			return wrong(fmt.Sprintf("records %q is no path of elements, such as /feed/entry", clip(*in.Records, maxQuote)))
		}
		c.records = path
	default:
		return wrong("records is for json and xml only")
	}
	return nil
}

func (c *check) output(format string, doc *archive.Document) Output {
	out := Output{Format: format, Records: c.seen, Container: doc.Container, Member: doc.Member, Version: c.cfg.Version}
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
func (v *Validator) locate(ctx context.Context, in Input, list []Violation) error {
	if !slices.ContainsFunc(list, func(v Violation) bool { return v.offset >= 0 }) {
		return nil
	}
	doc, err := v.open(ctx, in, nil) // nothing is kept of it
	if err != nil {
		return err
	}
	defer doc.Close() // was only read
	if err := skipBOM(doc.Content); err != nil && !errors.As(err, new(*fault)) {
		return err
	}
	err = locate(doc.Content, list)
	if container := (*archive.Error)(nil); errors.As(err, &container) {
		return nil // what lies behind the fault of a container has no lines
	}
	return err
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
