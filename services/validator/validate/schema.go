package validate

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const (
	// base is where a schema that is sent stands as long as it has no $id.
	base = "segue:///schema.json"
	// maxSchemaValues is how many JSON values a schema may consist of. The compiler
	// takes time with the square of it: for this many, some seconds at worst.
	maxSchemaValues = 10_000
)

// schema is a compiled schema. It belongs to one command at a time, because the
// meter counts for one.
type schema struct {
	compiled *jsonschema.Schema
	shape    *shape // nil if it has none
	meter    *meter
	digest   [sha256.Size]byte
	size     int
}

// check returns how v violates the schema, or nil. It fails when the context ends,
// or with a fault when the schema asks for too much.
func (s *schema) check(ctx context.Context, v any) (violation *jsonschema.ValidationError, err error) {
	if s.shape != nil && ctx.Err() == nil && s.shape.fits(v) {
		return nil, nil
	}
	s.meter.start(ctx)
	defer func() {
		switch r := recover().(type) {
		case nil:
		case stopped:
			err = r.reason
		default:
			// A schema from a stranger may find a hole in the library. That must not look
			// like a crash of the service, which would be tried again.
			err = &fault{code: CodeBadSchema, message: fmt.Sprintf("schema cannot be applied: %v", r)}
		}
	}()
	errors.As(s.compiled.Validate(v), &violation)
	return violation, nil
}

// compiler makes schemas, which may refer to those it knows. It may be used
// concurrently.
type compiler struct {
	cfg   Config
	known loader
}

func newCompiler(cfg Config) (*compiler, error) {
	c := &compiler{cfg: cfg, known: loader{}}
	for uri, text := range cfg.KnownSchemas {
		v, err := c.parse(text)
		if err != nil {
			return nil, fmt.Errorf("read schema %s: %w", uri, err)
		}
		c.known[strings.TrimSuffix(uri, "#")] = v
	}
	return c, nil
}

// compile makes a schema of its text. Its error is a [participant.Error] unless
// the fault is not the schema's.
func (c *compiler) compile(text []byte) (s *schema, err error) {
	v, err := c.parse(text)
	if err != nil {
		return nil, badSchema(err.Error(), report{})
	}
	s = &schema{meter: &meter{limit: c.cfg.MaxSteps}, digest: sha256.Sum256(text), size: len(text)}
	defer func() {
		if r := recover(); r != nil { // see check
			err = badSchema(fmt.Sprintf("cannot be compiled: %v", r), report{})
		}
	}()
	lib := jsonschema.NewCompiler()
	lib.DefaultDraft(draftOf(v))
	lib.UseLoader(c.known)
	lib.RegisterVocabulary(s.meter.vocabulary())
	lib.AssertVocabs()
	if err := lib.AddResource(base, v); err != nil {
		return nil, badSchema(compileMessage(err))
	}
	if s.compiled, err = lib.Compile(base); err != nil {
		return nil, badSchema(compileMessage(err))
	}
	if n := longestChain(s.meter.all); n > maxChain {
		return nil, badSchema(fmt.Sprintf("applies up to %d subschemas to one value, each by the one before; at most %d can be", n, maxChain), report{})
	}
	s.meter.all = nil
	s.shape = newShape(s.compiled)
	return s, nil
}

// CheckSchema says what is wrong with the text of a JSON Schema.
func CheckSchema(text []byte) error {
	cfg, err := Config{}.withDefaults()
	if err != nil {
		return err
	}
	c, err := newCompiler(cfg)
	if err != nil {
		return err
	}
	_, err = c.compile(text)
	return err
}

// draftOf returns the draft that a schema says it is written in, else 2020-12. It
// goes for the schemas that this one refers to as well, unless they say another.
func draftOf(v any) *jsonschema.Draft {
	object, _ := v.(map[string]any)
	uri, _ := object["$schema"].(string)
	_, uri, _ = strings.Cut(strings.TrimSuffix(uri, "#"), "://") // http and https are the same
	for _, d := range []*jsonschema.Draft{jsonschema.Draft4, jsonschema.Draft6, jsonschema.Draft7, jsonschema.Draft2019} {
		if _, address, _ := strings.Cut(d.String(), "://"); uri == address {
			return d
		}
	}
	return jsonschema.Draft2020
}

// parse reads a schema's text as strictly as a document.
func (c *compiler) parse(text []byte) (any, error) {
	cfg := c.cfg
	cfg.MaxValues = maxSchemaValues
	w := walker{cfg: &cfg}
	w.startBytes(text, true)
	v, err := w.one()
	var f *fault
	if errors.As(err, &f) {
		return nil, fmt.Errorf("at byte %d, %s: %w", f.offset, quotePointer(f.pointer), err)
	}
	return v, err
}

// loader has the schemas that are known. It never looks elsewhere.
type loader map[string]any

var errUnknownSchema = errors.New("unknown schema")

// Load returns the schema known by a URL.
func (l loader) Load(url string) (any, error) {
	if v, ok := l[url]; ok {
		return v, nil
	}
	return nil, errUnknownSchema
}

// compileMessage says what is wrong with a schema, and where if the library knows.
func compileMessage(err error) (string, report) {
	var load *jsonschema.LoadURLError
	var invalid *jsonschema.SchemaValidationError
	var violation *jsonschema.ValidationError
	r := report{limit: MaxViolationsDefault}
	switch {
	case errors.As(err, &load):
		return fmt.Sprintf("refers to %q, which is not known here: no schema is ever loaded from elsewhere, put it into $defs", clip(load.URL, maxQuote)), r
	case errors.As(err, &invalid) && errors.As(invalid.Err, &violation):
		at := strings.TrimPrefix(strings.TrimPrefix(invalid.URL, base), "#")
		list := flatten(violation)
		sortFindings(list)
		for _, f := range list {
			r.add(CodeBadSchema, Violation{Pointer: at + f.pointer, Keyword: f.keyword(), Message: f.message(), offset: -1})
		}
		return fmt.Sprintf("is no JSON Schema: %s: %s", quotePointer(r.list[0].Pointer), r.list[0].Message), r
	}
	return "cannot be compiled: " + clip(strings.ReplaceAll(err.Error(), base, ""), maxText), r
}
