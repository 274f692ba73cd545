package parse

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts the limits that documents go over:
//
//	segue_parse_limits_total{limit} => failures with the code "limit"
//
// A nil metrics counts nothing.
type metrics struct{ limits *prometheus.CounterVec }

// limits are the values of the label, so that each is there from the beginning.
var limits = []string{"record", "records", "bytes", "depth", "names", "csv", "xml", "parquet", "container", "spool", "transform"}

func newMetrics(r prometheus.Registerer) *metrics {
	if r == nil {
		return nil
	}
	m := &metrics{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "segue_parse_limits_total", Help: "Documents that were refused because they go over a limit.",
	}, []string{"limit"})}
	for _, limit := range limits {
		m.limits.WithLabelValues(limit)
	}
	r.MustRegister(m.limits)
	return m
}

func (m *metrics) count(err error) {
	var e *limitError
	if m != nil && errors.As(err, &e) {
		m.limits.WithLabelValues(e.limit).Inc()
	}
}
