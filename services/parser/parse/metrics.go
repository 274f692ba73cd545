package parse

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts the limits that documents go over:
//
//	segue_parse_limits_total{limit} => failures with the code "limit"
//	segue_parse_large_waits_total   => documents that waited for memory, see Config.MaxLarge
type metrics struct {
	limits *prometheus.CounterVec
	waits  prometheus.Counter
}

// limits are the values of the label, so that each is there from the beginning.
var limits = []string{"record", "records", "bytes", "depth", "names", "csv", "xml", "parquet", "container", "spool", "transform"}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{limits: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "segue_parse_limits_total", Help: "Documents that were refused because they go over a limit.",
	}, []string{"limit"}), waits: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "segue_parse_large_waits_total", Help: "Documents that waited until others no longer took the memory that they need.",
	})}
	for _, limit := range limits {
		m.limits.WithLabelValues(limit)
	}
	if r != nil {
		r.MustRegister(m.limits, m.waits)
	}
	return m
}

func (m *metrics) count(err error) {
	var e *limitError
	if errors.As(err, &e) {
		m.limits.WithLabelValues(e.limit).Inc()
	}
}
