package parse

import (
	"cmp"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"segue/document"
)

// Defaults of [Config].
const (
	MaxRecordDefault  = 16 << 20
	MaxRecordsDefault = 50_000_000
	MaxDepthDefault   = 128
	MaxBytesDefault   = 8 << 30
	MaxSpoolDefault   = 1 << 30
	MaxContentDefault = 8 << 30
	MaxRatioDefault   = 200
	MaxLargeDefault   = document.MaxLargeDefault

	TransformTimeDefault    = time.Second
	TransformWorkDefault    = 2_000_000
	TransformResultsDefault = 10_000
)

// Config holds the limits of a [Parser]. A document over one of them is refused.
// The zero value is ready for use.
type Config struct {
	// MaxRecord is the largest record, in bytes, both as it is in the document and
	// as a line of the records. It bounds what the parser and those who read the
	// records hold in memory. Defaults to 16 MiB.
	MaxRecord int `placeholder:"BYTES" help:"Largest record, in the document and as JSON (16 MiB if not given)."`
	// MaxRecords is the largest number of records. Defaults to 50,000,000.
	MaxRecords int64 `placeholder:"N" help:"How many records a document may have (50,000,000 if not given)."`
	// MaxDepth is how deep arrays and objects of a document may be nested; a flat
	// array of numbers has depth 1. Defaults to 128.
	MaxDepth int `placeholder:"N" help:"How deep arrays, objects and elements may be nested (128 if not given)."`
	// MaxBytes is the size of all records, in bytes. CSV needs it: its header names
	// come back in every record, so that the records can be much larger than the
	// document. Defaults to 8 GiB.
	MaxBytes int64 `placeholder:"BYTES" help:"Size of all records of a document (8 GiB if not given)."`
	// MaxSpool is the largest zip or Parquet file, in bytes: they are read from a
	// temporary file. Defaults to 1 GiB.
	MaxSpool int64 `placeholder:"BYTES" help:"Largest zip or Parquet file, which is read from a temporary file (1 GiB if not given)."`
	// MaxContent is the largest content of a container, in bytes. Defaults to 8 GiB.
	MaxContent int64 `placeholder:"BYTES" help:"Largest content of a gzip or zip container (8 GiB if not given)."`
	// MaxLarge is how many documents at a time may take more than some 16 MiB of
	// memory; the others wait. Defaults to 1.
	MaxLarge int `placeholder:"N" help:"How many documents at a time may take more than some 16 MiB of memory (1 if not given)."`
	// MaxRatio is how many times larger than what it came from the content of a
	// container may be, beyond its first 16 MiB. Defaults to 200.
	MaxRatio int64 `placeholder:"N" help:"How many times larger than its container the content may be (200 if not given)."`

	// TransformTime is how long a transform may take for one record. Defaults to 1 s.
	TransformTime time.Duration `placeholder:"DURATION" help:"How long a transform may take for a record (1s if not given)."`
	// TransformWork is how much work a transform may do for one record, in steps of
	// jq, or visits of a value, or writes of 16 bytes; each byte of the record allows
	// 4 more. It bounds its memory as well, to about 64 bytes a step. Defaults to
	// 2,000,000.
	TransformWork int64 `placeholder:"STEPS" help:"How much work a transform may do for a record (2,000,000 if not given)."`
	// TransformResults is how many records a transform may make of one. Each may
	// have up to MaxRecord bytes, all together as many. Defaults to 10,000.
	TransformResults int `placeholder:"N" help:"How many records a transform may make of one (10,000 if not given)."`

	// Schemas is where table schemas are found that a command names. Without it
	// a command has to bring them along.
	Schemas document.Store `kong:"-"`
	// Metrics is where the limits that documents go over are counted. Defaults to
	// nowhere.
	Metrics prometheus.Registerer `kong:"-"`
	// Version is that of the program; outputs name it. Defaults to none.
	Version string `kong:"-"`
}

func (c Config) withDefaults() Config {
	c.MaxRecord = cmp.Or(c.MaxRecord, MaxRecordDefault)
	c.MaxRecords = cmp.Or(c.MaxRecords, MaxRecordsDefault)
	c.MaxDepth = cmp.Or(c.MaxDepth, MaxDepthDefault)
	c.MaxBytes = cmp.Or(c.MaxBytes, MaxBytesDefault)
	c.MaxSpool = cmp.Or(c.MaxSpool, MaxSpoolDefault)
	c.MaxContent = cmp.Or(c.MaxContent, MaxContentDefault)
	c.MaxLarge = cmp.Or(c.MaxLarge, MaxLargeDefault)
	c.MaxRatio = cmp.Or(c.MaxRatio, MaxRatioDefault)
	c.TransformTime = cmp.Or(c.TransformTime, TransformTimeDefault)
	c.TransformWork = cmp.Or(c.TransformWork, TransformWorkDefault)
	c.TransformResults = cmp.Or(c.TransformResults, TransformResultsDefault)
	return c
}

func (c Config) validate() error {
	for _, limit := range []struct {
		name  string
		value int64
	}{
		{"MaxRecord", int64(c.MaxRecord)},
		{"MaxRecords", c.MaxRecords},
		{"MaxDepth", int64(c.MaxDepth)},
		{"MaxBytes", c.MaxBytes},
		{"MaxSpool", c.MaxSpool},
		{"MaxContent", c.MaxContent},
		{"MaxLarge", int64(c.MaxLarge)},
		{"MaxRatio", c.MaxRatio},
		{"TransformTime", int64(c.TransformTime)},
		{"TransformWork", c.TransformWork},
		{"TransformResults", int64(c.TransformResults)},
	} {
		if limit.value < 0 {
			return fmt.Errorf("check config: %s is negative", limit.name)
		}
	}
	return nil
}
