package validate_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"

	"segue/archive/archivetest"
	"segue/participant"
	"segue/services/validator/validate"
)

// TestLarge holds that of documents that can take much memory one is at work at a
// time, and that the others need not wait.
func TestLarge(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("[0],", 50_000)
	table := json.RawMessage(`{"fields":[{"name":"id"}],"primaryKey":"id"}`)
	anything := json.RawMessage(`true`)
	var ids, rows strings.Builder
	ids.WriteString("id\n")
	for i := range 220_000 {
		ids.WriteString(string(rune(0x4E00+i%20_000)) + string(rune(0x4E00+i/20_000)) + "\n")
	}
	for range 50_000 {
		rows.WriteString("{\"a\":1}\n")
	}
	for _, c := range []struct {
		name, text string
		in         validate.Input
		waits      float64
	}{
		{"whole, under a schema", "[" + long + "0]", validate.Input{Format: "json", Schema: anything}, 1},
		{"whole, in gzip", archivetest.Gzip(t, "["+long+"0]"), validate.Input{Format: "json", Schema: anything}, 1},
		{"one long record", "[[" + long + "0]]", validate.Input{Format: "json"}, 1},
		{"one long line", "[" + long + "0]", validate.Input{Format: "ndjson"}, 1},
		{"one long tag", "<a b='" + long + "'/>", validate.Input{Format: "xml"}, 1},
		{"one long row", "a\n\"" + long + "\"\n", validate.Input{Format: "csv"}, 1},
		{"many keys", ids.String(), validate.Input{Format: "csv", Table: table}, 1},
		{"many records", "[" + long + "0]", validate.Input{Format: "json"}, 0},
		{"many records, under a schema", `{"a":[` + long + "0]}", validate.Input{Format: "json", Records: pointer("/a"), Schema: anything}, 0},
		{"many lines", rows.String(), validate.Input{Format: "ndjson", Schema: anything}, 0},
		{"many elements", "<a>" + strings.Repeat("<b/>", 50_000) + "</a>", validate.Input{Format: "xml"}, 0},
		{"many rows", "a,b\n" + strings.Repeat("x,y\n", 50_000), validate.Input{Format: "csv"}, 0},
		{"small", "[1]", validate.Input{Format: "json", Schema: anything}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				metrics := prometheus.NewRegistry()
				f := newFixture(t, validate.Config{Metrics: metrics})
				goOn := make(chan struct{})
				f.store.put("first", func() io.Reader {
					return io.MultiReader(strings.NewReader(`["`+strings.Repeat("x", 256<<10)), gate(goOn), strings.NewReader(`"]`))
				})
				check := func(ctx context.Context, name string, in validate.Input) <-chan error {
					end := make(chan error, 1)
					in.Document.Name, in.Document.Size = name, int64(len(c.text))
					go func() {
						_, err := f.Validate(ctx, participant.Command[validate.Input]{Input: in})
						end <- err
					}()
					return end
				}
				first := check(t.Context(), "first", validate.Input{Format: "json", Schema: anything})
				synctest.Wait() // it stands at the gate, with the turn
				f.store.put("second", func() io.Reader { return strings.NewReader(c.text) })
				ctx, cancel := context.WithCancel(t.Context())
				second := check(ctx, "second", c.in)
				synctest.Wait()
				if got := waited(t, metrics); got != c.waits || int(c.waits) != 1-len(second) {
					t.Errorf("%v documents wait, %d have come to their end; want %v to wait", got, len(second), c.waits)
				}
				third := check(t.Context(), "second", c.in)
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

func waited(t *testing.T, r *prometheus.Registry) float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "segue_validate_large_waits_total" {
			return family.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatal("there is no metric of waits")
	return 0
}
