// Package transform runs a jq program over records, within limits that hold.
//
// The program gets a record as its input, and what it puts out are the records
// in its place: none, one or more. It is the language of jq 1.7 as
// github.com/itchyny/gojq implements it, so that numbers keep all their digits
// unless the program computes with them: then integers stay exact, and others
// are 64-bit floating point. Members of objects come out in the order of their
// names.
//
// A program is a function of its record. One that asks for anything else, such as
// now, env, input or a module, is not compiled.
//
// A program is a stranger's, and a deadline alone does not keep it from taking
// all memory: [range(1e9)] fills it in a second, and a string that doubles in
// each round in much less. So what a program does is metered: one unit of work
// for each instruction of gojq's machine, and for what an instruction does to a
// whole value, a unit for each part of the value and for each 16 bytes of text,
// paid before it is done. This is built into the program before it is compiled:
// see rewrite.go. Since no unit of work takes more than some 64 bytes, the limit
// of work is a limit of memory too, and the same program does the same on
// every machine.
package transform

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/itchyny/gojq"
)

// Limits bound what a program may do with one record.
type Limits struct {
	// Time is how long it may take.
	Time time.Duration
	// Work is how many units of work it may do. Each byte of the record allows
	// workPerByte more.
	Work int64
	// Results is how many values it may put out.
	Results int
	// MaxResult is how many bytes of JSON these may have, each and all together.
	MaxResult int
	// Large, if there is one, is called before a record may take more than Small
	// bytes of memory. It may wait, which does not count as time; its error ends the
	// program and is returned as it is.
	Large func() error
	Small int64
}

// workCost is what a unit of work takes in memory at most, in bytes.
const workCost = 64

// workPerByte is the work that is allowed for each byte of a record.
const workPerByte = 4

// maxInput is the largest record that a program can be given, in bytes. In memory
// it may take twenty times as much.
const maxInput = 4 << 20

// maxDigits is the longest run of digits in a record, in bytes. To compute with a
// number takes time that grows with the square of its length.
const maxDigits = 1000

// maxProgram is the longest program, in bytes.
const maxProgram = 64 << 10

// maxPatterns is how many regular expressions gojq may have compiled for a
// program before it is compiled anew; it keeps them all.
const maxPatterns = 1000

// Error says why a program could not go on with a record.
type Error struct {
	Reason string
	Limit  bool // over one of the Limits
}

// Error returns the reason.
func (e *Error) Error() string { return "transform: " + e.Reason }

// Program is a compiled program. It is not safe for concurrent use.
type Program struct {
	query  *gojq.Query
	code   *gojq.Code
	meter  *meter
	limits Limits
}

// Compile checks and compiles a program. Its errors are for the program's author.
func Compile(text string, l Limits) (*Program, error) {
	if len(text) > maxProgram {
		return nil, fmt.Errorf("the program has %d bytes, the limit is %d", len(text), maxProgram)
	}
	query, err := gojq.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("the program cannot be read: %w", err)
	}
	if query, err = rewrite(query); err != nil {
		return nil, err
	}
	p := &Program{query: query, meter: &meter{}, limits: l}
	return p, p.compile()
}

func (p *Program) compile() error {
	code, err := gojq.Compile(p.query,
		gojq.WithFunction("_pay", 1, 4, p.meter.pay), gojq.WithEnvironLoader(nil))
	if err != nil {
		return fmt.Errorf("the program cannot be compiled: %w", err)
	}
	p.code, p.meter.patterns = code, make(map[[2]string]*pattern)
	return nil
}

// Run gives a record to the program and appends what it puts out to dst, as
// compact JSON, each on a line. It returns how many there are, an [*Error], or the
// error of ctx or [Limits.Large].
func (p *Program) Run(ctx context.Context, dst, record []byte) ([]byte, int, error) {
	if len(record) > maxInput {
		return dst, 0, &Error{fmt.Sprintf("the record has %d bytes, the limit for one is %d", len(record), maxInput), true}
	}
	if longestNumber(record) > maxDigits {
		return dst, 0, &Error{fmt.Sprintf("the record has a number of more than %d digits", maxDigits), true}
	}
	if len(p.meter.patterns) > maxPatterns {
		if err := p.compile(); err != nil {
			return dst, 0, err
		}
	}
	var input any
	decoder := json.NewDecoder(bytes.NewReader(record))
	decoder.UseNumber()
	if err := decoder.Decode(&input); err != nil {
		return dst, 0, fmt.Errorf("decode record: %w", err) // unreachable: it has been checked
	}
	p.meter.start(ctx, p.limits, int64(len(record)))
	return p.collect(dst, p.code.RunWithContext(p.meter, input))
}

func (p *Program) collect(dst []byte, results gojq.Iter) (_ []byte, n int, err error) {
	start := len(dst)
	for {
		v, ok := results.Next()
		if !ok {
			return dst, n, nil
		}
		if err, failed := v.(error); failed {
			return dst, n, p.failure(err)
		}
		if n++; n > p.limits.Results {
			return dst, n, &Error{fmt.Sprintf("it makes more than %d records of one", p.limits.Results), true}
		}
		if !p.meter.take(p.meter.size(v)) { // it may be much larger written out than in memory
			return dst, n, p.failure(p.meter.Err())
		}
		text, err := gojq.Marshal(v)
		if err != nil {
			return dst, n, &Error{Reason: clip(err.Error())}
		}
		if !utf8.Valid(text) {
			return dst, n, &Error{Reason: "it puts out a text that is not UTF-8"}
		}
		dst = append(append(dst, text...), '\n')
		if len(dst)-start > p.limits.MaxResult+n {
			return dst, n, &Error{fmt.Sprintf("it makes more than %d bytes of one record", p.limits.MaxResult), true}
		}
	}
}

// failure says what an error of the program means.
func (p *Program) failure(err error) error {
	if stopped := p.meter.Err(); stopped != nil { // whatever the program made of it
		return stopped
	}
	var value gojq.ValueError
	if errors.As(err, &value) && !p.meter.take(p.meter.size(value.Value())) {
		return p.meter.Err() // its text would be too long to be made
	}
	return &Error{Reason: clip(err.Error())}
}

// maxClip is the longest piece of a text that a message repeats, in bytes.
const maxClip = 200

func clip(s string) string {
	if len(s) > maxClip {
		s = s[:maxClip] + "..."
	}
	return string([]rune(s))
}
