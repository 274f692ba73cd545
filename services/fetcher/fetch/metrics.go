package fetch

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts the limits that fetches run into:
//
//	segue_fetch_turn_wait_seconds         => waits for a turn at a host
//	segue_fetch_turns_refused_total       => waits that were given up: host_busy
//	segue_fetch_resumes_total{outcome}    => bodies that broke off: resumed, or not
//	segue_fetch_robots_refused_total      => fetches that a robots.txt refused
//	segue_fetch_unchanged_total           => fetches of what had not changed
//
// A nil metrics counts nothing.
type metrics struct {
	wait      prometheus.Histogram
	refused   prometheus.Counter
	resumes   *prometheus.CounterVec
	robots    prometheus.Counter
	unchanged prometheus.Counter
}

func newMetrics(r prometheus.Registerer) *metrics {
	if r == nil {
		return nil
	}
	m := &metrics{
		wait: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "segue_fetch_turn_wait_seconds", Help: "Time that a request waited for a turn at its host.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 9), NativeHistogramBucketFactor: 1.1,
		}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "segue_fetch_turns_refused_total", Help: "Requests that gave up waiting for a turn at their host.",
		}),
		resumes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "segue_fetch_resumes_total", Help: "Bodies that broke off and were asked for the rest of.",
		}, []string{"outcome"}),
		robots: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "segue_fetch_robots_refused_total", Help: "Fetches that a robots.txt refused.",
		}),
		unchanged: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "segue_fetch_unchanged_total", Help: "Fetches of documents that had not changed.",
		}),
	}
	r.MustRegister(m.wait, m.refused, m.resumes, m.robots, m.unchanged)
	return m
}

func (m *metrics) waited(d time.Duration) {
	if m != nil {
		m.wait.Observe(d.Seconds())
	}
}

func (m *metrics) turnedAway() {
	if m != nil {
		m.refused.Inc()
	}
}

func (m *metrics) resumed(ok bool) {
	if m != nil {
		m.resumes.WithLabelValues(map[bool]string{true: "resumed", false: "failed"}[ok]).Inc()
	}
}

func (m *metrics) robotsRefused() {
	if m != nil {
		m.robots.Inc()
	}
}

func (m *metrics) unchangedDocument() {
	if m != nil {
		m.unchanged.Inc()
	}
}
