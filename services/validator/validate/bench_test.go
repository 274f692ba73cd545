package validate

import (
	"bufio"
	"context"
	"fmt"
	"strings"
	"testing"
)

// order is a small schema with what real ones have: types, formats, bounds,
// patterns, choices, a nested list and nothing else allowed.
const order = `{"type":"object","required":["id","customer","items"],"additionalProperties":false,"properties":{
	"id":{"type":"integer","minimum":1},
	"customer":{"type":"string","minLength":1,"maxLength":64},
	"status":{"enum":["new","paid","sent"]},
	"code":{"type":"string","pattern":"^[A-Z]{2}[0-9]+$"},
	"items":{"type":"array","minItems":1,"items":{"type":"object","required":["sku"],"properties":{"sku":{"type":"string"},"count":{"type":"integer"}}}}}}`

// BenchmarkValidation is what the check of one small record costs, from its bytes
// to the verdict: reading it strictly, with all limits, and applying a compiled
// schema. The store, messages and the finding of the record are not in it.
func BenchmarkValidation(b *testing.B) {
	for name, c := range map[string]struct{ schema, text string }{
		"order, 5 members":  {order, `{"id":4711,"customer":"Ada","status":"paid","code":"AB12","items":[{"sku":"x-1","count":2}]}`},
		"object, 3 members": {`{"type":"object","required":["id","name"],"properties":{"id":{"type":"integer","minimum":1},"name":{"type":"string","minLength":1},"price":{"type":"number"}}}`, `{"id":4711,"name":"Ada","price":12.5}`},
	} {
		b.Run(name, func(b *testing.B) {
			ck := benchCheck(b, c.schema)
			text := []byte(c.text)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ck.text(text, 0, "", 1); err != nil {
					b.Fatal(err)
				}
			}
			if !ck.report.empty() {
				b.Fatal(ck.report.list)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "validations/s")
		})
	}
}

// BenchmarkLines is the same for a document of a million such records or so, line
// by line, as a command reads it.
func BenchmarkLines(b *testing.B) {
	var text strings.Builder
	const lines = 10_000
	for i := range lines {
		fmt.Fprintf(&text, `{"id":%d,"customer":"Ada","status":"paid","code":"AB12","items":[{"sku":"x-1","count":2}]}`+"\n", i+1)
	}
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		ck := benchCheck(b, order)
		if err := ck.streamed(NDJSON, bufio.NewReader(strings.NewReader(text.String()))); err != nil || !ck.report.empty() || ck.seen != lines {
			b.Fatal(err, ck.report.list)
		}
	}
	b.ReportMetric(lines*float64(b.N)/b.Elapsed().Seconds(), "validations/s")
}

func benchCheck(b *testing.B, text string) *check {
	b.Helper()
	compiler := newTestCompiler(b)
	s, err := compiler.compile([]byte(text))
	if err != nil {
		b.Fatal(err)
	}
	ck := &check{ctx: context.Background(), cfg: &compiler.cfg, schema: s, report: report{limit: 10}}
	ck.stream.cfg, ck.piece.cfg = ck.cfg, ck.cfg
	return ck
}
