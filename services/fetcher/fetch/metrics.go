package fetch

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts what fetches do, and the limits that they run into:
//
//	segue_fetch_limits_total{limit}       => failures because of a limit; of robots, files of which a part was read
//	segue_fetch_turn_wait_seconds         => waits for a turn at a host
//	segue_fetch_resumes_total{outcome}    => bodies that broke off: resumed, or not
//	segue_fetch_robots_refused_total      => fetches that a robots.txt refused
//	segue_fetch_unchanged_total           => fetches of what had not changed
//
// A nil metrics counts nothing.
type metrics struct {
	limits    *prometheus.CounterVec
	wait      prometheus.Histogram
	resumes   *prometheus.CounterVec
	robots    prometheus.Counter
	unchanged prometheus.Counter
}

// The limits, as the metric names them.
const (
	limitAnswer    = "answer"    // Config.HeaderTimeout
	limitCodings   = "codings"   // Config.MaxDecoders
	limitConnect   = "connect"   // Config.DialTimeout
	limitDocument  = "document"  // Config.MaxDocument
	limitHeader    = "header"    // Config.MaxHeader
	limitHeaders   = "headers"   // maxHeaders
	limitIdle      = "idle"      // Config.IdleTimeout
	limitRatio     = "ratio"     // Config.MaxRatio
	limitRedirects = "redirects" // Config.MaxRedirects
	limitResumes   = "resumes"   // Config.MaxResumes
	limitRobots    = "robots"    // maxRobots
	limitSecret    = "secret"    // maxHeaderValue
	limitTurn      = "turn"      // Config.TurnWait, for Config.PerHost and Config.HostRate
	limitURL       = "url"       // maxURL, maxHost
	limitValue     = "value"     // maxHeaderValue
	limitWindow    = "window"    // zstdWindow
)

// limits are the values of the label, so that each is there from the beginning.
var limits = []string{
	limitAnswer, limitCodings, limitConnect, limitDocument, limitHeader, limitHeaders, limitIdle, limitRatio, limitRedirects,
	limitResumes, limitRobots, limitSecret, limitTurn, limitURL, limitValue, limitWindow,
}

func newMetrics(r prometheus.Registerer) *metrics {
	if r == nil {
		return nil
	}
	m := &metrics{
		limits: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "segue_fetch_limits_total", Help: "Fetches that ran into a limit.",
		}, []string{"limit"}),
		wait: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "segue_fetch_turn_wait_seconds", Help: "Time that a request waited for a turn at its host.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 9), NativeHistogramBucketFactor: 1.1,
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
	for _, limit := range limits {
		m.limits.WithLabelValues(limit)
	}
	r.MustRegister(m.limits, m.wait, m.resumes, m.robots, m.unchanged)
	return m
}

// limited counts a limit that was run into.
func (m *metrics) limited(limit string) {
	if m != nil {
		m.limits.WithLabelValues(limit).Inc()
	}
}

// failed counts the limit behind an error, if there is one.
func (m *metrics) failed(err error) {
	var e *limitError
	if errors.As(err, &e) {
		m.limited(e.limit)
	}
}

func (m *metrics) waited(d time.Duration) {
	if m != nil {
		m.wait.Observe(d.Seconds())
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

// limitError says which limit an error is about.
type limitError struct {
	limit string
	error
}

func over(limit string, err error) error { return &limitError{limit, err} }

// Unwrap returns the error.
func (e *limitError) Unwrap() error { return e.error }
