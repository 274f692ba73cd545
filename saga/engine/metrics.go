package engine

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"segue/events"
)

// Metrics counts what the engine does:
//
//	segue_runs_started_total{saga}                  => runs that began
//	segue_runs_ended_total{saga, status}            => runs that ended, completed or compensated
//	segue_run_duration_seconds{saga, status}        => from started to ended, by the journal's time
//	segue_outcomes_total{saga, step, outcome}       => outcomes read, timeouts among them
//	segue_runs_running{partition}                   => runs that have not ended
//	segue_runs_stuck                                => runs that wait for an operator; alert on > 0
//	segue_runs_orphaned_total                       => runs whose start or definition cannot be read; alert on > 0
//	segue_starts_total{result}                      => start events: accepted, repeated or rejected
//	segue_runs_kept_total                           => runs that have ended and were kept in the history
//	segue_runs_purged_total                         => runs that have left the journal
//
// A nil Metrics counts nothing.
type Metrics struct {
	runsStarted *prometheus.CounterVec
	runsEnded   *prometheus.CounterVec
	duration    *prometheus.HistogramVec
	outcomes    *prometheus.CounterVec
	running     *prometheus.GaugeVec
	runsStuck   prometheus.Gauge
	orphaned    prometheus.Counter
	starts      *prometheus.CounterVec
	runsKept    prometheus.Counter
	runsPurged  prometheus.Counter
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		runsStarted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "segue_runs_started_total", Help: "Runs that began.",
		}, []string{"saga"}),
		runsEnded: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "segue_runs_ended_total", Help: "Runs that ended.",
		}, []string{"saga", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "segue_run_duration_seconds", Help: "Time from started to ended.",
			Buckets: prometheus.ExponentialBuckets(0.005, 4, 10), NativeHistogramBucketFactor: 1.1,
		}, []string{"saga", "status"}),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "segue_outcomes_total", Help: "Outcomes of attempts.",
		}, []string{"saga", "step", "outcome"}),
		running: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "segue_runs_running", Help: "Runs that have not ended.",
		}, []string{"partition"}),
		runsStuck: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "segue_runs_stuck", Help: "Runs that wait for an operator's retry.",
		}),
		orphaned: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "segue_runs_orphaned_total", Help: "Runs that cannot be carried on.",
		}),
		starts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "segue_starts_total", Help: "Start events taken in.",
		}, []string{"result"}),
	}
	m.runsKept = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "segue_runs_kept_total", Help: "Runs that have ended and were kept in the history.",
	})
	m.runsPurged = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "segue_runs_purged_total", Help: "Runs that have left the journal.",
	})
	r.MustRegister(m.runsKept, m.runsPurged, m.runsStarted, m.runsEnded, m.duration, m.outcomes, m.running, m.runsStuck, m.orphaned, m.starts)
	return m
}

func (m *Metrics) began(saga string) {
	if m != nil {
		m.runsStarted.WithLabelValues(saga).Inc()
	}
}

func (m *Metrics) ended(saga, status string, took time.Duration) {
	if m != nil {
		m.runsEnded.WithLabelValues(saga, status).Inc()
		m.duration.WithLabelValues(saga, status).Observe(took.Seconds())
	}
}

// outcomeLabels names outcomes on dashboards.
var outcomeLabels = map[string]string{
	events.TypeStepCompleted: "completed",
	events.TypeStepFailed:    "failed",
	events.TypeStepTimedOut:  "timed_out",
	events.TypeUndoCompleted: "undone",
	events.TypeUndoFailed:    "undo_failed",
	events.TypeUndoTimedOut:  "undo_timed_out",
}

func (m *Metrics) outcome(saga, step, eventType string) {
	if m != nil {
		label, known := outcomeLabels[eventType]
		if !known {
			label = "unreadable"
		}
		m.outcomes.WithLabelValues(saga, step, label).Inc()
	}
}

func (m *Metrics) runs(partition, n int) {
	if m != nil {
		m.running.WithLabelValues(strconv.Itoa(partition)).Set(float64(n))
	}
}

// forget takes away what belongs to a partition that is not owned any more.
func (m *Metrics) forget(partition int) {
	if m != nil {
		m.running.DeleteLabelValues(strconv.Itoa(partition))
	}
}

func (m *Metrics) stuck(by float64) {
	if m != nil {
		m.runsStuck.Add(by)
	}
}

func (m *Metrics) orphan() {
	if m != nil {
		m.orphaned.Inc()
	}
}

func (m *Metrics) start(result string) {
	if m != nil {
		m.starts.WithLabelValues(result).Inc()
	}
}

func (m *Metrics) kept(n int) {
	if m != nil {
		m.runsKept.Add(float64(n))
	}
}

func (m *Metrics) left(n int) {
	if m != nil {
		m.runsPurged.Add(float64(n))
	}
}
