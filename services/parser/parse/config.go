package parse

import "fmt"

// Defaults of [Config].
const (
	MaxRecordDefault  = 16 << 20
	MaxRecordsDefault = 50_000_000
	MaxDepthDefault   = 128
	MaxBytesDefault   = 8 << 30
)

// Config holds the limits of a [Parser]. A document over one of them is refused.
// The zero value is ready for use.
type Config struct {
	// MaxRecord is the largest record, in bytes, both as it is in the document and
	// as a line of the records. It bounds what the parser and those who read the
	// records hold in memory. Defaults to 16 MiB.
	MaxRecord int
	// MaxRecords is the largest number of records. Defaults to 50,000,000.
	MaxRecords int64
	// MaxDepth is how deep arrays and objects of a document may be nested; a flat
	// array of numbers has depth 1. Defaults to 128.
	MaxDepth int
	// MaxBytes is the size of all records, in bytes. CSV needs it: its header names
	// come back in every record, so that the records can be much larger than the
	// document. Defaults to 8 GiB.
	MaxBytes int64
}

func (c Config) withDefaults() Config {
	if c.MaxRecord == 0 {
		c.MaxRecord = MaxRecordDefault
	}
	if c.MaxRecords == 0 {
		c.MaxRecords = MaxRecordsDefault
	}
	if c.MaxDepth == 0 {
		c.MaxDepth = MaxDepthDefault
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = MaxBytesDefault
	}
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
	} {
		if limit.value < 0 {
			return fmt.Errorf("check config: %s is negative", limit.name)
		}
	}
	return nil
}
