package participant

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"segue/events"
)

// Metrics counts what services do:
//
//	segue_attempts_total{service, outcome}          => attempts that got an outcome
//	segue_attempt_duration_seconds{service}         => from taking up to outcome stored
//	segue_attempts_running{service}                 => handlers at work
//	segue_commands_returned_total{service}          => commands given back unanswered
//
// A nil Metrics counts nothing.
type Metrics struct {
	outcomes *prometheus.CounterVec
	duration *prometheus.HistogramVec
	running  *prometheus.GaugeVec
	back     *prometheus.CounterVec
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "segue_attempts_total", Help: "Attempts that got an outcome.",
		}, []string{"service", "outcome"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "segue_attempt_duration_seconds", Help: "Time from taking up a command to its outcome being stored.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 10), NativeHistogramBucketFactor: 1.1,
		}, []string{"service"}),
		running: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "segue_attempts_running", Help: "Handlers at work.",
		}, []string{"service"}),
		back: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "segue_commands_returned_total", Help: "Commands given back to their queue unanswered.",
		}, []string{"service"}),
	}
	r.MustRegister(m.outcomes, m.duration, m.running, m.back)
	return m
}

// outcomeLabels names outcomes on dashboards.
var outcomeLabels = map[string]string{
	events.TypeStepCompleted: "completed",
	events.TypeStepFailed:    "failed",
	events.TypeUndoCompleted: "undone",
	events.TypeUndoFailed:    "undo_failed",
}

func (m *Metrics) settled(service, eventType string, took time.Duration) {
	if m != nil {
		m.outcomes.WithLabelValues(service, outcomeLabels[eventType]).Inc()
		m.duration.WithLabelValues(service).Observe(took.Seconds())
	}
}

func (m *Metrics) began(service string) {
	if m != nil {
		m.running.WithLabelValues(service).Inc()
	}
}

func (m *Metrics) ended(service string) {
	if m != nil {
		m.running.WithLabelValues(service).Dec()
	}
}

func (m *Metrics) returned(service string) {
	if m != nil {
		m.back.WithLabelValues(service).Inc()
	}
}
