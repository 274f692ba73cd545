package validate

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"segue/archive"
	"segue/document"
	"segue/tableschema"
	"segue/tabular"
)

// Config has the limits. For each of them 0 means its default. A command at work
// holds little more than what the limits allow: about 100 bytes for each of
// MaxValues, and 400 more for each that violates its schema.
type Config struct {
	// MaxWhole is the largest JSON document that is checked against a schema as a
	// whole, in bytes. Larger ones need a records pointer, or no schema. Defaults to
	// 64 MiB.
	MaxWhole int64 `name:"max-whole" placeholder:"BYTES" help:"Largest JSON document checked against a schema as a whole (default 64 MiB)."`
	// MaxViolations is how many violations are listed. The others are counted.
	// Defaults to 100.
	MaxViolations int `name:"max-violations" placeholder:"N" help:"Most violations listed for a document (default 100)."`

	// MaxContent is the largest content of a gzip or zip container, in bytes.
	// Defaults to 8 GiB.
	MaxContent int64 `name:"max-unpacked" placeholder:"BYTES" help:"Largest content of a gzip or zip container (default 8 GiB)."`
	// MaxRatio is how many times larger than what it came from the content of a
	// container may be, beyond its first 16 MiB. Defaults to 200.
	MaxRatio int64 `kong:"-"`
	// MaxMembers is how many members a zip file may have. Defaults to 10,000.
	MaxMembers int `kong:"-"`
	// MaxSpool is the largest zip or Parquet file, in bytes: they are read from a
	// temporary file. Defaults to 1 GiB.
	MaxSpool int64 `name:"max-file" placeholder:"BYTES" help:"Largest zip or Parquet file, which is read from a temporary file (default 1 GiB)."`

	// MaxLarge is how many documents at a time may take more than some 16 MiB of
	// memory; the others wait. Defaults to 1.
	MaxLarge int `name:"max-large" placeholder:"N" help:"How many documents at a time may take more than some 16 MiB of memory (default 1)."`

	// MaxDepth is how deep arrays, objects and elements may be nested, at most 1,000. Defaults
	// to 128.
	MaxDepth int `kong:"-"`
	// MaxToken is the longest JSON string, name, number or run of white space, and the
	// longest tag, comment or run of text of XML, in bytes as written. Defaults to 16 MiB.
	MaxToken int64 `kong:"-"`
	// MaxNumber is the most digits a number may have when written out without an
	// exponent: 1e999 has 1,000. Exact arithmetic on numbers costs what their digits
	// cost. Defaults to 1,000.
	MaxNumber int `kong:"-"`
	// MaxNames is the memory for the names of the objects that are open at a time,
	// in bytes, each name counted with 64 bytes for its keeping. They are kept to find
	// a name that comes twice. Defaults to 64 MiB, nearly a million short names.
	MaxNames int64 `kong:"-"`
	// MaxRecord is the largest record, in bytes: a line of NDJSON, or an element of
	// the records under a schema, a row of Parquet as JSON. Defaults to 16 MiB.
	MaxRecord int64 `kong:"-"`
	// MaxValues is how many JSON values a record or a whole document under a schema
	// may consist of. Defaults to 1,000,000.
	MaxValues int `kong:"-"`
	// MaxSchema is the largest schema, in bytes. Defaults to 256 KiB.
	MaxSchema int `kong:"-"`
	// MaxSteps is how many times a schema, or a part of it, may be applied to a
	// record or a whole document. It bounds schemas that multiply their own work.
	// Defaults to 10,000,000.
	MaxSteps int64 `kong:"-"`
	// MaxKeys is how many values of a table are kept, at some 40 bytes each, to find
	// those that come twice where its schema does not allow that. Defaults to 2,000,000.
	MaxKeys int `kong:"-"`
	// CSV has the limits for CSV. Its Delimiter must be 0.
	CSV tabular.Options `kong:"-"`

	// Schemas is where schemas are found that a command names. Without it a command
	// has to bring them along.
	Schemas document.Store `kong:"-"`
	// Metrics is where the limits that documents go over are counted. Defaults to
	// nowhere.
	Metrics prometheus.Registerer `kong:"-"`
	// Version is that of the program; outputs name it. Defaults to none.
	Version string `kong:"-"`
	// KnownSchemas are JSON Schemas by the URI under which a $ref or $schema may name
	// them, without fragment. The drafts' own are known. Nothing else is ever loaded.
	KnownSchemas map[string][]byte `kong:"-"`
}

// Defaults of [Config].
const (
	MaxWholeDefault      = 64 << 20
	MaxViolationsDefault = 100
	MaxContentDefault    = 8 << 30
	MaxRatioDefault      = archive.MaxRatioDefault
	MaxMembersDefault    = archive.MaxMembersDefault
	MaxSpoolDefault      = 1 << 30
	MaxLargeDefault      = document.MaxLargeDefault
	MaxKeysDefault       = tableschema.MaxKeysDefault
	MaxDepthDefault      = 128
	MaxTokenDefault      = 16 << 20
	MaxNumberDefault     = 1_000
	MaxNamesDefault      = 64 << 20
	MaxRecordDefault     = 16 << 20
	MaxValuesDefault     = 1_000_000
	MaxSchemaDefault     = 256 << 10
	MaxStepsDefault      = 10_000_000
)

// maxDepth is the largest MaxDepth: the walk calls itself for each level.
const maxDepth = 1_000

func (c Config) withDefaults() (Config, error) {
	for _, err := range []error{
		limit("MaxWhole", &c.MaxWhole, MaxWholeDefault),
		limit("MaxViolations", &c.MaxViolations, MaxViolationsDefault),
		limit("MaxContent", &c.MaxContent, MaxContentDefault),
		limit("MaxRatio", &c.MaxRatio, MaxRatioDefault),
		limit("MaxMembers", &c.MaxMembers, MaxMembersDefault),
		limit("MaxSpool", &c.MaxSpool, MaxSpoolDefault),
		limit("MaxLarge", &c.MaxLarge, MaxLargeDefault),
		limit("MaxKeys", &c.MaxKeys, MaxKeysDefault),
		limit("MaxDepth", &c.MaxDepth, MaxDepthDefault),
		limit("MaxToken", &c.MaxToken, MaxTokenDefault),
		limit("MaxNumber", &c.MaxNumber, MaxNumberDefault),
		limit("MaxNames", &c.MaxNames, MaxNamesDefault),
		limit("MaxRecord", &c.MaxRecord, MaxRecordDefault),
		limit("MaxValues", &c.MaxValues, MaxValuesDefault),
		limit("MaxSchema", &c.MaxSchema, MaxSchemaDefault),
		limit("MaxSteps", &c.MaxSteps, MaxStepsDefault),
	} {
		if err != nil {
			return c, err
		}
	}
	if c.MaxDepth > maxDepth {
		return c, fmt.Errorf("check config: MaxDepth is %d, at most %d can be", c.MaxDepth, maxDepth)
	}
	if c.CSV.Delimiter != 0 {
		return c, fmt.Errorf("check config: CSV.Delimiter is set, it is found out for each document")
	}
	return c, nil
}

func limit[N int | int64](name string, value *N, dflt N) error {
	if *value < 0 {
		return fmt.Errorf("check config: %s is negative", name)
	}
	if *value == 0 {
		*value = dflt
	}
	return nil
}
