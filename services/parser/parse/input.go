package parse

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"segue/archive"
	"segue/document"
	"segue/participant"
	"segue/schemas"
	"segue/services/parser/transform"
	"segue/tableschema"
)

// recipe is an input that is ready for use.
type recipe struct {
	Input
	table     *tableschema.Schema // nil for none
	transform *transform.Program  // nil for none
	turn      *document.Turn      // to take much memory
}

// prepare checks an input, looks up what it names and compiles its program. What
// is wrong with it is a permanent failure.
func (p *Parser) prepare(ctx context.Context, in Input, turn *document.Turn) (recipe, error) {
	r := recipe{Input: in, turn: turn}
	if err := in.check(); err != nil {
		return r, badInput(err)
	}
	if in.Transform != "" {
		var err error
		r.transform, err = transform.Compile(in.Transform, transform.Limits{
			Time: p.cfg.TransformTime, Work: p.cfg.TransformWork, Results: p.cfg.TransformResults, MaxResult: p.cfg.MaxRecord,
			Large: turn.Take, Small: document.Small,
		})
		if err != nil {
			return r, badInput(fmt.Errorf("transform: %w", err))
		}
	}
	var err error
	r.table, err = p.loadTable(ctx, in)
	return r, err
}

// loadTable returns the table schema of an input; nil for none.
func (p *Parser) loadTable(ctx context.Context, in Input) (*tableschema.Schema, error) {
	text, err := schemas.Resolve(ctx, p.cfg.Schemas, in.Table)
	var wrong *schemas.Error
	switch {
	case errors.As(err, &wrong):
		return nil, badInput(fmt.Errorf("table: %w", err))
	case err != nil:
		return nil, fmt.Errorf("look up table schema: %w", err)
	case text == nil:
		return nil, nil
	}
	table, err := tableschema.Load(text)
	if err != nil {
		return nil, badInput(fmt.Errorf("table: %w", err))
	}
	return table, nil
}

func badInput(err error) error {
	return &participant.Error{Code: participant.CodeBadInput, Permanent: true, Err: fmt.Errorf("check input: %w", err)}
}

func (in Input) check() error {
	switch in.Format {
	case FormatJSON, FormatNDJSON, FormatCSV, FormatXML, FormatParquet:
	case "":
		return errors.New("format is missing; want json, ndjson, csv, xml or parquet")
	default:
		return fmt.Errorf("format %q is unknown; want json, ndjson, csv, xml or parquet", clip(in.Format))
	}
	switch in.Container {
	case "", archive.Gzip, archive.Zip:
	default:
		return fmt.Errorf("container %q is unknown; want gzip or zip", clip(in.Container))
	}
	if in.Member != "" && in.Container != archive.Zip {
		return errors.New("member is for the container zip, not for another")
	}
	if len(in.Table) > 0 && string(in.Table) != "null" && in.Format != FormatCSV {
		return fmt.Errorf("table is for csv, the format is %s", in.Format)
	}
	if err := in.checkRecords(); err != nil {
		return err
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

func (in Input) checkRecords() error {
	switch {
	case in.Records == nil:
		return nil
	case in.Format == FormatXML:
		return checkElementPath(*in.Records)
	case in.Format != FormatJSON:
		return fmt.Errorf("records is for json and xml, the format is %s", in.Format)
	case !jsontext.Pointer(*in.Records).IsValid():
		return fmt.Errorf("records %q is not a JSON pointer", clip(*in.Records))
	}
	return nil
}
