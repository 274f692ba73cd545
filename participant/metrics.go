package participant

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"segue/events"
)

// Metrics counts what services do:
//
//	segue_attempts_total{service, outcome}          => attempts that got an outcome
//	segue_failures_total{service, code}             => those that failed, by the code of the failure
//	segue_attempt_duration_seconds{service}         => from taking up to outcome stored
//	segue_attempts_running{service}                 => handlers at work
//	segue_commands_returned_total{service}          => commands given back unanswered
//
// A nil Metrics counts nothing.
type Metrics struct {
	outcomes *prometheus.CounterVec
	failures *prometheus.CounterVec
	duration *prometheus.HistogramVec
	running  *prometheus.GaugeVec
	back     *prometheus.CounterVec

	mu    sync.Mutex
	codes map[string]bool // that have been seen, and have a label of their own
}

// maxCodes is how many codes of failures have a label of their own; all others are
// "other", so that a handler which makes codes up cannot fill a monitoring system.
const maxCodes = 200

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "segue_attempts_total", Help: "Attempts that got an outcome.",
		}, []string{"service", "outcome"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "segue_failures_total", Help: "Attempts that failed, by the code of the failure.",
		}, []string{"service", "code"}),
		codes: make(map[string]bool),
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
	r.MustRegister(m.outcomes, m.failures, m.duration, m.running, m.back)
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

func (m *Metrics) failed(service, code string) {
	if m == nil {
		return
	}
	if code == "" {
		code = "none"
	}
	m.mu.Lock()
	if !m.codes[code] && len(m.codes) >= maxCodes {
		code = "other"
	}
	m.codes[code] = true
	m.mu.Unlock()
	m.failures.WithLabelValues(service, code).Inc()
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
