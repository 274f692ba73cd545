package parse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/prometheus/client_golang/prometheus"

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
		{"ndjson and a transform", "", row + "\n", "", 8 << 20, Input{Format: FormatNDJSON, Transform: "{id, n: (.name | length)}"}},
		{"xml", "<feed>", "<row id=\"123456\"><name>Berlin Brandenburg</name><at>52.351389</at><at>13.493889</at><note/></row>\n", "</feed>", 64 << 20, Input{Format: FormatXML, Records: at("/feed/row")}},
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

// A Parquet file of a million rows, in row groups of 100,000, takes the memory of
// a page of each column, and a temporary file that is gone afterwards.
func TestMemoryParquet(t *testing.T) {
	if testing.Short() {
		t.Skip("MEMORY WAS NOT MEASURED with a million rows of Parquet: run without -short")
	}
	t.Setenv("TMPDIR", t.TempDir())
	var file bytes.Buffer
	w := parquet.NewGenericWriter[flight](&file, parquet.MaxRowsPerRowGroup(100_000), parquet.PageBufferSize(64<<10))
	ber := "BER"
	rows := make([]flight, 1000)
	for i := range 1_000_000 {
		rows[i%1000] = flight{int64(i), &ber, int64(i), int64(i) << 20}
		if i%1000 < 999 {
			continue
		}
		if _, err := w.Write(rows); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	s := &kept{stream: stream{}, file: file.Bytes()}
	runtime.GC()
	before := heap()
	out, err := parser(t, Config{}, s).Parse(t.Context(), command(Input{Document: document.Document{Ref: document.Ref{Size: int64(len(s.file))}}, Format: FormatParquet}))
	if err != nil || out.Count != 1_000_000 {
		t.Fatal(out, err)
	}
	t.Logf("%d bytes of Parquet, heap grew by %.1f MiB at most", len(s.file), (float64(s.peak)-float64(before))/(1<<20))
	const most = 3 * maxHeap // pages in memory, and those that the collector has not seen to yet
	if s.peak > before+most {
		t.Errorf("the heap grew by %d bytes, more than %d", s.peak-before, most)
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left in the folder of temporary files: %v, %v", left, err)
	}
}

// kept is a stream whose document is in memory.
type kept struct {
	stream
	file []byte
}

func (s *kept) Open(context.Context, document.Ref) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(s.file)), nil
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
	registry := prometheus.NewRegistry()
	_, _, err := parse(t, Config{Metrics: registry}, names(2200), in)
	var e *participant.Error
	if !errors.As(err, &e) || e.Code != CodeLimit || !strings.Contains(e.Error(), "too many names") {
		t.Errorf("2,200 names: %v", err)
	}
	if over := limitsCounted(t, registry); !slices.Equal(over, []string{"names"}) {
		t.Errorf("2,200 names: %q counted", over)
	}
	// Objects that have ended do not count.
	one := strings.TrimSuffix(strings.TrimPrefix(names(500), `{"before":`), `,"data":[1]}`)
	if _, out, err := parse(t, Config{}, `{"before":[`+strings.Repeat(one+",", 5)+`0],"data":[1]}`, in); err != nil || out.Count != 1 {
		t.Errorf("5 objects of 500 names: %+v, %v", out, err)
	}
}
