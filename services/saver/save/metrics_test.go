package save

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// count returns the value of a counter, or how many a histogram has observed.
func count(t *testing.T, registry *prometheus.Registry, name, label string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() != name || label != "" && m.GetLabel()[0].GetValue() != label {
				continue
			}
			if m.GetHistogram() != nil {
				return float64(m.GetHistogram().GetSampleCount())
			}
			return m.GetCounter().GetValue()
		}
	}
	return 0
}

// TestMetricsCountSaves counts each save once, however often it is asked for.
func TestMetricsCountSaves(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		b := newBench(t, url)
		registry := prometheus.NewRegistry()
		b.metrics = newMetrics(registry)
		first := b.made(recipe(`{}`), `{"id":"a"}`, `{"id":"b"}`, `{"id":"c"}`)
		for range 3 {
			b.mustSave("r1", first)
		}
		b.mustSave("skipped", first)
		replace := b.keyed(`{"id":"a"}`, `{"id":"b","v":1}`, `{"id":"d"}`)
		replace.Mode = ModeReplace
		b.mustSave("r2", replace)
		b.mustTakeBack("r2")
		b.mustTakeBack("r2")
		for _, want := range []struct {
			name, label string
			n           float64
		}{
			{"segue_save_records_total", ModeUpsert, 3},
			{"segue_save_records_total", ModeReplace, 3},
			{"segue_save_rows_total", "inserted", 4},
			{"segue_save_rows_total", "updated", 1},
			{"segue_save_rows_total", "unchanged", 1},
			{"segue_save_rows_total", "deleted", 1},
			{"segue_save_skipped_total", "", 1},
			{"segue_save_transaction_seconds", opDo, 3}, // what is remembered needs none
			{"segue_save_transaction_seconds", opUndo, 2},
		} {
			if n := count(t, registry, want.name, want.label); n != want.n {
				t.Errorf("%s{%s} is %v, want %v", want.name, want.label, n, want.n)
			}
		}
	})
}

// TestMetricsCountLimits runs into each limit.
func TestMetricsCountLimits(t *testing.T) {
	t.Parallel()
	b := newBench(t, "sqlite:"+t.TempDir()+"/segue.db")
	b.cfg.MaxRecords = 3
	registry := prometheus.NewRegistry()
	b.metrics = newMetrics(registry)
	long := strings.Repeat("k", 10_000)
	deep := strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1)
	pointer := "/" + long
	for limit, in := range map[string]Input{
		limitCollection: named(b.input(`1`), long),
		limitColumns:    columnsIn(b.input(`1`), manyColumns(MaxColumns+1)...),
		limitDepth:      b.input(deep),
		limitKey:        b.keyed(`{"id":"` + long + `"}`),
		limitName:       columnsIn(b.input(`1`), long+" text"),
		limitPath:       columnsIn(b.input(`1`), "v text /0/1/2/3"),
		limitPointer:    {Document: b.input(`1`).Document, Key: &pointer},
		limitProvenance: {Document: b.input(`1`).Document, ETag: long},
		limitRecord:     b.input(string(bytes.Repeat([]byte("1"), MaxRecord+1))),
		limitRecords:    b.input(`1`, `2`, `3`, `4`),
	} {
		if _, err := b.save("r", in); err == nil {
			t.Errorf("%s: there was none", limit)
		}
		if n := count(t, registry, "segue_save_limits_total", limit); n != 1 {
			t.Errorf("limit %s was run into once, and counted %v times", limit, n)
		}
	}

	b.mustSave("old", b.keyed(`{"id":"a"}`))
	b.cfg.UndoKeep = time.Nanosecond
	b.now = func() time.Time { return time.Now().Add(time.Hour) }
	b.mustSave("new", b.keyed(`{"id":"a","v":1}`))
	if err := b.takeBack("old"); !errors.Is(err, ErrPruned) {
		t.Fatalf("undo of what was pruned: %v", err)
	}
	if n := count(t, registry, "segue_save_limits_total", limitUndoKeep); n != 1 {
		t.Errorf("limit %s was run into once, and counted %v times", limitUndoKeep, n)
	}
	for _, limit := range limits { // limitCommit: see TestCommitWithoutAnswer
		if n := count(t, registry, "segue_save_limits_total", limit); n != 1 && limit != limitCommit {
			t.Errorf("limit %s is not tested", limit)
		}
	}
}
