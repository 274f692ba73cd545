package parse

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/parquet-go/parquet-go"
	"github.com/prometheus/client_golang/prometheus"

	"segue/archive/archivetest"
)

// TestLarge holds that of documents that can take much memory one is at work at a
// time, and that the others need not wait.
func TestLarge(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("[0],", 50_000)
	table := []byte(`{"fields":[{"name":"id"}],"primaryKey":"id"}`)
	var ids strings.Builder
	ids.WriteString("id\n")
	for i := range 220_000 {
		ids.WriteString(string(rune(0x4E00+i%20_000)) + string(rune(0x4E00+i/20_000)) + "\n")
	}
	for _, c := range []struct {
		name, text string
		in         Input
		waits      float64
	}{
		{"one long record", "[[" + long + "0]]", Input{Format: "json"}, 1},
		{"one long record in zip", archivetest.Zip(t, "a", "[["+long+"0]]"), Input{Format: "json", Container: "zip"}, 1},
		{"one long line", "[" + long + "0]", Input{Format: "ndjson"}, 1},
		{"one long row", "a\n\"" + long + "\"\n", Input{Format: "csv"}, 1},
		{"one long element", "<a>" + strings.Repeat("<b/>", 50_000) + "</a>", Input{Format: "xml"}, 1},
		{"many keys", ids.String(), Input{Format: "csv", Table: table}, 1},
		{"much work", "[1]", Input{Format: "json", Transform: "[range(200000)] | length"}, 1},
		{"a large page", page(t, 1, 6<<20), Input{Format: "parquet"}, 1},
		{"a small page", page(t, 1000, 1<<10), Input{Format: "parquet"}, 0},
		{"many records", "[" + long + "0]", Input{Format: "json"}, 0},
		{"many records in zip", archivetest.Zip(t, "a", "["+long+"0]"), Input{Format: "json", Container: "zip"}, 0},
		{"many lines", strings.Repeat("1\n", 100_000), Input{Format: "ndjson"}, 0},
		{"many rows", "a,b\n" + strings.Repeat("x,y\n", 50_000), Input{Format: "csv"}, 0},
		{"many elements", "<a>" + strings.Repeat("<b/>", 50_000) + "</a>", Input{Format: "xml", Records: at("/a/b")}, 0},
		{"little work on many", "[" + long[:40_000] + "0]", Input{Format: "json", Transform: "."}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				metrics := prometheus.NewRegistry()
				s := newStore()
				p := parser(t, Config{Metrics: metrics}, s)
				parse := func(ctx context.Context, text string, in Input) <-chan error {
					end := make(chan error, 1)
					in.Document = s.put(text)
					go func() {
						_, err := p.Parse(ctx, command(in))
						end <- err
					}()
					return end
				}
				goOn := make(chan struct{})
				s.open = func([]byte) io.Reader {
					return io.MultiReader(strings.NewReader(`["`+strings.Repeat("x", 256<<10)), gate(goOn), strings.NewReader(`"]`))
				}
				first := parse(t.Context(), "", Input{Format: "json"})
				synctest.Wait() // it stands at the gate, with the turn
				s.open = nil
				ctx, cancel := context.WithCancel(t.Context())
				second := parse(ctx, c.text, c.in)
				synctest.Wait()
				if got := counted(t, metrics); got != c.waits || int(c.waits) != 1-len(second) {
					t.Errorf("%v documents wait, %d have come to their end; want %v to wait", got, len(second), c.waits)
				}
				third := parse(t.Context(), c.text, c.in)
				cancel()
				if err := <-second; c.waits > 0 && !errors.Is(err, context.Canceled) || c.waits == 0 && err != nil {
					t.Errorf("the second: %v", err)
				}
				close(goOn)
				if err := errors.Join(<-first, <-third); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// gate has nothing to read, once it is open.
type gate chan struct{}

func (g gate) Read([]byte) (int, error) { <-g; return 0, io.EOF }

// page is a file of rows with a text of a size.
func page(t *testing.T, rows, size int) string {
	t.Helper()
	type row struct {
		Text string `parquet:"text"`
	}
	var file bytes.Buffer
	if err := parquet.Write(&file, slices.Repeat([]row{{strings.Repeat("x", size)}}, rows)); err != nil {
		t.Fatal(err)
	}
	return file.String()
}
