package engine

import (
	"strconv"
	"sync"
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
//	segue_step_duration_seconds{saga, step, outcome} => of one attempt, from command to outcome, by the journal's time
//	segue_retries_total{saga, step}                 => attempts after the first, at a step or at undoing it
//	segue_timer_lateness_seconds                    => how long after its instant a timer fired
//	segue_runs_running{partition}                   => runs that have not ended
//	segue_oldest_run_age_seconds                    => how long the run goes on that began first; 0 if none does
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
	step        *prometheus.HistogramVec
	retries     *prometheus.CounterVec
	lateness    prometheus.Histogram
	running     *prometheus.GaugeVec
	runsStuck   prometheus.Gauge
	orphaned    prometheus.Counter
	starts      *prometheus.CounterVec
	runsKept    prometheus.Counter
	runsPurged  prometheus.Counter

	mu     sync.Mutex
	oldest map[int]time.Time // partition => start of the run that goes on for longest
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
	m.oldest = make(map[int]time.Time)
	m.step = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "segue_step_duration_seconds", Help: "Time from a command being stored to its outcome being stored.",
		Buckets: prometheus.ExponentialBuckets(0.001, 4, 10), NativeHistogramBucketFactor: 1.1,
	}, []string{"saga", "step", "outcome"})
	m.retries = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "segue_retries_total", Help: "Attempts after the first at a step, or at undoing it.",
	}, []string{"saga", "step"})
	m.lateness = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "segue_timer_lateness_seconds", Help: "How long after its instant a timer fired.",
		Buckets: prometheus.ExponentialBuckets(0.001, 4, 8), NativeHistogramBucketFactor: 1.1,
	})
	age := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "segue_oldest_run_age_seconds", Help: "How long the run goes on that began first, of those that have not ended.",
	}, m.age)
	r.MustRegister(m.step, m.retries, m.lateness, age)
	for _, result := range []string{startAccepted, startRepeated, startRejected} {
		m.starts.WithLabelValues(result) // there from the beginning, so that the first one is an increase
	}
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

// outcome counts an outcome; took is negative if nobody was asked.
func (m *Metrics) outcome(saga, step, eventType string, took time.Duration) {
	if m == nil {
		return
	}
	label, known := outcomeLabels[eventType]
	if !known {
		label = "unreadable"
	}
	m.outcomes.WithLabelValues(saga, step, label).Inc()
	if took >= 0 {
		m.step.WithLabelValues(saga, step, label).Observe(took.Seconds())
	}
}

// tried counts an attempt that was asked for.
func (m *Metrics) tried(saga, step string, attempt int) {
	if m != nil && attempt > 1 {
		m.retries.WithLabelValues(saga, step).Inc()
	}
}

func (m *Metrics) late(by time.Duration) {
	if m != nil {
		m.lateness.Observe(by.Seconds())
	}
}

// runs notes how many runs of a partition go on, and when the first of them began.
func (m *Metrics) runs(partition, n int, oldest time.Time) {
	if m == nil {
		return
	}
	m.running.WithLabelValues(strconv.Itoa(partition)).Set(float64(n))
	m.mu.Lock()
	defer m.mu.Unlock()
	m.oldest[partition] = oldest
}

// age is that of the run which goes on for longest, in seconds.
func (m *Metrics) age() float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	var longest time.Duration
	for _, began := range m.oldest {
		if !began.IsZero() {
			longest = max(longest, time.Since(began))
		}
	}
	return longest.Seconds()
}

// forget takes away what belongs to a partition that is not owned any more.
func (m *Metrics) forget(partition int) {
	if m != nil {
		m.running.DeleteLabelValues(strconv.Itoa(partition))
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.oldest, partition)
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

// What becomes of starts.
const (
	startAccepted = "accepted"
	startRepeated = "repeated" // its run has left the journal
	startRejected = "rejected"
)

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
