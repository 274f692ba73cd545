package validate_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"segue/participant"
	"segue/services/validator/validate"
)

// TestMemoryDoesNotDependOnSize reads large documents, one of 200 MiB, in each
// way there is to read one as a stream, and watches the heap. It does not run in
// parallel with others, whose memory it would count.
func TestMemoryDoesNotDependOnSize(t *testing.T) {
	if testing.Short() {
		t.Skip("large documents are NOT read, so the bound on memory is not tested: run without -short")
	}
	const bound = 24 << 20 // bytes
	control := heapPeak(func() {
		text, err := io.ReadAll(&repeat{piece: strings.Repeat("x", 4096), left: 64 << 20 / 4096})
		if err != nil || len(text) != 64<<20 {
			t.Errorf("read %d bytes, %v", len(text), err)
		}
	})
	if control < 2*bound {
		t.Fatalf("reading 64 MiB into memory grows the heap by %d bytes only: the measure measures nothing", control)
	}
	schema := json.RawMessage(`{"required":["id"]}`)
	row := `{"id":"0123456789","name":"` + strings.Repeat("a name of some length ", 40) + `","tags":["a","b",{"c":null}],"price":12.50}`
	for _, test := range []struct {
		name              string
		start, piece, end string
		in                validate.Input
	}{
		{"json", "[" + row, "," + row + "\n", "]", validate.Input{Format: "json"}},
		{"json one string", `["`, "", `"]`, validate.Input{Format: "json"}},
		{"json records", `{"items":[` + row, "," + row, "]}", validate.Input{Format: "json", Records: pointer("/items")}},
		{"json records, schema", `{"items":[` + row, "," + row, "]}", validate.Input{Format: "json", Records: pointer("/items"), Schema: json.RawMessage(`true`)}},
		{"ndjson", "", row + "\n", "", validate.Input{Format: "ndjson"}},
		{"ndjson violated", "", row + "\n{}\n" + strings.Repeat(" ", 64<<10) + "\n", "", validate.Input{Format: "ndjson", Schema: schema}},
		{"csv", "id,name\n", "0123456789,\"" + strings.Repeat("a name, quoted", 40) + "\"\n", "", validate.Input{Format: "csv"}},
		{"csv, schema", "id,name\n", "0123456789,\"" + strings.Repeat("a name, quoted", 1000) + "\"\n", "", validate.Input{Format: "csv", Schema: schema}},
	} {
		t.Run(test.name, func(t *testing.T) {
			size := 48 << 20
			if test.name == "json" {
				size = 200 << 20
			}
			f := newFixture(t, validate.Config{MaxToken: 1 << 20})
			piece := test.piece
			if piece == "" {
				piece = strings.Repeat("x", 4096)
			}
			f.store.put("big", func() io.Reader {
				return io.MultiReader(strings.NewReader(test.start), &repeat{piece: piece, left: size / len(piece)}, strings.NewReader(test.end))
			})
			test.in.Document.Name = "big"
			began := time.Now()
			var out validate.Output
			var err error
			peak := heapPeak(func() {
				out, err = f.Validate(context.Background(), participant.Command[validate.Input]{Input: test.in})
			})
			t.Logf("%.0f MiB/s, %d records, heap grew by %.1f MiB at most: %.80s", float64(size>>20)/time.Since(began).Seconds(), out.Records, float64(peak)/(1<<20), fmt.Sprint(err))
			if peak > bound {
				t.Errorf("heap grew by %d bytes, at most %d allowed", peak, bound)
			}
			if failed := test.name == "json one string" || test.name == "ndjson violated"; failed != (err != nil) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// heapPeak returns by how much the heap was larger while f ran, sampled.
func heapPeak(f func()) int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before, peak := int64(m.HeapAlloc), int64(0)
	done, sampled := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(sampled)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				runtime.ReadMemStats(&m)
				peak = max(peak, int64(m.HeapAlloc)-before)
			}
		}
	}()
	f()
	close(done)
	<-sampled
	return peak
}

// repeat reads a piece a number of times.
type repeat struct {
	piece string
	at    int
	left  int
}

func (r *repeat) Read(p []byte) (n int, err error) {
	for n < len(p) && r.left > 0 {
		c := copy(p[n:], r.piece[r.at:])
		n += c
		if r.at += c; r.at == len(r.piece) {
			r.at, r.left = 0, r.left-1
		}
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}
