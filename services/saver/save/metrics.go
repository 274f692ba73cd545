package save

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts what saves do, and the limits that they run into:
//
//	segue_save_records_total{mode}          => records of the documents that were saved
//	segue_save_rows_total{change}           => rows inserted, updated and deleted, and records found unchanged
//	segue_save_skipped_total                => saves that another one had done already
//	segue_save_transaction_seconds{op}      => transactions, of do and undo
//	segue_save_limits_total{limit}          => failures because of a limit
//
// A nil metrics counts nothing.
type metrics struct {
	records      *prometheus.CounterVec
	rows         *prometheus.CounterVec
	skipped      prometheus.Counter
	transactions *prometheus.HistogramVec
	limits       *prometheus.CounterVec
}

// The limits, as the metric names them.
const (
	limitCollection = "collection"  // MaxCollection
	limitColumns    = "columns"     // MaxColumns
	limitCommit     = "commit"      // commitTimeout
	limitDepth      = "depth"       // MaxDepth
	limitKey        = "key"         // MaxKey
	limitName       = "column_name" // MaxColumnName
	limitPath       = "column_path" // maxTokens, maxIndexes
	limitPointer    = "pointer"     // MaxPointer
	limitProvenance = "provenance"  // maxProvenance
	limitRecord     = "record"      // MaxRecord
	limitRecords    = "records"     // Config.MaxRecords
	limitUndoKeep   = "undo_keep"   // Config.UndoKeep
)

// limits are the values of the label, so that each is there from the beginning.
var limits = []string{
	limitCollection, limitColumns, limitCommit, limitDepth, limitKey, limitName, limitPath, limitPointer, limitProvenance,
	limitRecord, limitRecords, limitUndoKeep,
}

func newMetrics(r prometheus.Registerer) *metrics {
	if r == nil {
		return nil
	}
	m := &metrics{
		records: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "segue_save_records_total", Help: "Records of the documents that were saved.",
		}, []string{"mode"}),
		rows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "segue_save_rows_total", Help: "What saves made of rows; undos are not counted.",
		}, []string{"change"}),
		skipped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "segue_save_skipped_total", Help: "Saves that another one had done already.",
		}),
		transactions: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "segue_save_transaction_seconds", Help: "How long transactions took, the wait for others and the commit included.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 9), NativeHistogramBucketFactor: 1.1,
		}, []string{"op"}),
		limits: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "segue_save_limits_total", Help: "Saves and undos that failed because of a limit.",
		}, []string{"limit"}),
	}
	for _, limit := range limits {
		m.limits.WithLabelValues(limit)
	}
	r.MustRegister(m.records, m.rows, m.skipped, m.transactions, m.limits)
	return m
}

// saved counts a save that was done now and not before.
func (m *metrics) saved(mode string, out Output) {
	switch {
	case m == nil:
	case out.Skipped:
		m.skipped.Inc()
	default:
		m.records.WithLabelValues(mode).Add(float64(out.Total))
		for change, n := range map[string]int64{"inserted": out.Inserted, "updated": out.Updated, "unchanged": out.Unchanged, "deleted": out.Deleted} {
			m.rows.WithLabelValues(change).Add(float64(n))
		}
	}
}

// took counts a transaction.
func (m *metrics) took(op string, since time.Time) {
	if m != nil {
		m.transactions.WithLabelValues(op).Observe(time.Since(since).Seconds())
	}
}

// failed counts the limit behind an error, if there is one.
func (m *metrics) failed(err error) {
	var e *limitError
	if m != nil && errors.As(err, &e) {
		m.limits.WithLabelValues(e.limit).Inc()
	}
}

// limitError says which limit an error is about.
type limitError struct {
	limit string
	error
}

func over(limit string, err error) error { return &limitError{limit, err} }

// Unwrap returns the error.
func (e *limitError) Unwrap() error { return e.error }
