package validate

import "github.com/prometheus/client_golang/prometheus"

// The limits that a document can go over, as the metric names them.
const (
	limitContainer  = "container"
	limitDepth      = "depth"
	limitNames      = "names"
	limitNumber     = "number"
	limitParquet    = "parquet"
	limitRecord     = "record"
	limitSchema     = "schema"
	limitSpool      = "spool"
	limitSteps      = "steps"
	limitTable      = "table"
	limitToken      = "token"
	limitValues     = "values"
	limitViolations = "violations"
	limitWhole      = "whole"
	limitCSV        = "csv"
	limitXML        = "xml"
)

// metrics counts the limits that documents and schemas go over:
//
//	segue_validate_limits_total{limit}   => violations of the limit; of violations, documents with more than are listed
//	segue_validate_large_waits_total     => documents that waited for memory, see Config.MaxLarge
type metrics struct {
	limits *prometheus.CounterVec
	waits  prometheus.Counter
}

func newMetrics(r prometheus.Registerer) metrics {
	m := metrics{limits: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "segue_validate_limits_total", Help: "Documents and schemas that go over a limit.",
	}, []string{"limit"}), waits: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "segue_validate_large_waits_total", Help: "Documents that waited until others no longer took the memory that they need.",
	})}
	for _, limit := range []string{
		limitContainer, limitDepth, limitNames, limitNumber, limitParquet, limitRecord, limitSchema, limitSpool, limitSteps,
		limitTable, limitToken, limitValues, limitViolations, limitWhole, limitCSV, limitXML,
	} {
		m.limits.WithLabelValues(limit)
	}
	if r != nil {
		r.MustRegister(m.limits, m.waits)
	}
	return m
}

func (m metrics) count(limits []string) {
	for _, limit := range limits {
		m.limits.WithLabelValues(limit).Inc()
	}
}
