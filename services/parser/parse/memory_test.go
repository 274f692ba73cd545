package parse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"segue/document"
	"segue/participant"
)

// maxHeap is how far the heap may grow while TestMemory parses, in bytes: much
// less than any of its documents.
const maxHeap = 16 << 20

// TestMemory parses documents far larger than the memory it allows.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("MEMORY WAS NOT MEASURED with a document of 256 MiB: run without -short")
	}
	row := `{"id": 123456, "name": "Berlin Brandenburg", "at": [52.351389, 13.493889], "open": true, "note": null}`
	for _, c := range []struct {
		name, head, body, tail string
		size                   int
		in                     Input
	}{
		{"json", "[" + row, ",\n" + row, "]", 256 << 20, Input{Format: FormatJSON}},
		{"json behind a pointer", `{"before": [` + row, ",\n" + row, `], "data": [1]}`, 64 << 20, Input{Format: FormatJSON, Records: at("/data")}},
		{"ndjson", "", row + "\n", "", 64 << 20, Input{Format: FormatNDJSON}},
		{"csv", "id,name,lat,lon,open,note\n", "123456,Berlin Brandenburg,52.351389,13.493889,true,\"\"\n", "", 64 << 20, Input{Format: FormatCSV}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &stream{head: c.head, body: c.body, tail: c.tail, size: c.size}
			runtime.GC()
			before := heap()
			start := time.Now()
			out, err := parser(t, Config{}, s).Parse(t.Context(), command(c.in))
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s: %d records, %.0f MB/s, heap grew by %.1f MiB at most",
				c.name, out.Count, float64(c.size)/1e6/time.Since(start).Seconds(), float64(s.peak-before)/(1<<20))
			if s.peak > before+maxHeap {
				t.Errorf("the heap grew by %d bytes, more than %d", s.peak-before, maxHeap)
			}
		})
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// stream is a store that makes up its document, forgets what it is given and
// measures the heap.
type stream struct {
	document.Store
	head, body, tail string
	size             int // of the document, about, in bytes
	peak             uint64
}

func (s *stream) Open(context.Context, document.Ref) (io.ReadCloser, error) {
	block := strings.Repeat(s.body, 1<<20/len(s.body))
	parts := []io.Reader{strings.NewReader(s.head)}
	for range s.size / len(block) {
		parts = append(parts, strings.NewReader(block))
	}
	return io.NopCloser(io.MultiReader(append(parts, strings.NewReader(s.tail))...)), nil
}

func (s *stream) Put(_ context.Context, name string, r io.Reader) (document.Ref, error) {
	chunk := make([]byte, 128<<10)
	for n := 0; ; n++ {
		if n%64 == 0 {
			s.peak = max(s.peak, heap())
		}
		if _, err := r.Read(chunk); err == io.EOF {
			return ref(name, nil), nil
		} else if err != nil {
			return document.Ref{}, err
		}
	}
}

// The decoder keeps the names of every object it has entered, and must give up
// before there are too many.
func TestNamesAreBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("THE LIMIT OF NAMES WAS NOT TESTED, it takes a document of 40 MB: run without -short")
	}
	t.Parallel()
	names := func(count int) string {
		var b strings.Builder
		b.WriteString(`{"before":{"x":0`)
		for n := range count {
			fmt.Fprintf(&b, ",\n\"%d%s\":0", n, strings.Repeat("x", 16<<10))
		}
		b.WriteString(`},"data":[1]}`)
		return b.String()
	}
	in := Input{Format: FormatJSON, Records: at("/data")}
	if _, out, err := parse(t, Config{}, names(500), in); err != nil || out.Count != 1 {
		t.Errorf("500 names: %+v, %v", out, err)
	}
	_, _, err := parse(t, Config{}, names(2200), in)
	var e *participant.Error
	if !errors.As(err, &e) || e.Code != CodeLimit || !strings.Contains(e.Error(), "too many names") {
		t.Errorf("2,200 names: %v", err)
	}
	// Objects that have ended do not count.
	one := strings.TrimSuffix(strings.TrimPrefix(names(500), `{"before":`), `,"data":[1]}`)
	if _, out, err := parse(t, Config{}, `{"before":[`+strings.Repeat(one+",", 5)+`0],"data":[1]}`, in); err != nil || out.Count != 1 {
		t.Errorf("5 objects of 500 names: %+v, %v", out, err)
	}
}
