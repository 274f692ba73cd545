package daemon

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"segue/journal/jetstream"
)

const (
	// queuesTimeout is how long a scrape waits for the broker to say how full it is.
	queuesTimeout = 2 * time.Second
	// queuesAge is how old its answer may be: those who scrape more often get the same.
	queuesAge = 5 * time.Second
)

// NewQueues returns a collector that asks the broker, when it is scraped, how much
// waits there. Each orchestrator says the same. Without an answer the metrics are
// missing, and a warning says why.
//
//	segue_starts_pending                  => starts that wait to be taken in
//	segue_starts_ack_pending              => starts that an orchestrator is taking in
//	segue_commands_pending{service}       => commands that no worker has yet
//	segue_commands_ack_pending{service}   => commands that workers have
//	segue_commands_redelivered{service}   => those of them that were delivered before
//	segue_rejected_starts                 => rejected starts that are kept
//	segue_journal_bytes                   => size of the journal
//	segue_journal_limit_bytes             => the size at which it takes no more; 0: none
func NewQueues(bus *Bus, log *slog.Logger) prometheus.Collector {
	return &queues{ask: bus.Journal.Fullness, log: log}
}

type queues struct {
	ask func(context.Context) (jetstream.Fullness, error)
	log *slog.Logger

	mu    sync.Mutex
	asked time.Time
	found *jetstream.Fullness // nil: there was no answer
}

func gauge(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	startsPending       = gauge("segue_starts_pending", "Starts that wait to be taken in.")
	startsAckPending    = gauge("segue_starts_ack_pending", "Starts that an orchestrator is taking in.")
	commandsPending     = gauge("segue_commands_pending", "Commands that no worker has yet.", "service")
	commandsAckPending  = gauge("segue_commands_ack_pending", "Commands that workers have.", "service")
	commandsRedelivered = gauge("segue_commands_redelivered", "Commands that workers have and that were delivered before.", "service")
	rejectedStarts      = gauge("segue_rejected_starts", "Rejected starts that are kept.")
	journalBytes        = gauge("segue_journal_bytes", "Size of the journal.")
	journalLimit        = gauge("segue_journal_limit_bytes", "Size at which the journal takes no more, 0 if there is none.")
)

// Describe names the metrics.
func (q *queues) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{startsPending, startsAckPending, commandsPending, commandsAckPending, commandsRedelivered, rejectedStarts, journalBytes, journalLimit} {
		to <- d
	}
}

// Collect asks the broker.
func (q *queues) Collect(to chan<- prometheus.Metric) {
	f := q.fullness()
	if f == nil {
		return
	}
	put := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	for _, s := range f.Queues {
		if s.Service == "" {
			put(startsPending, float64(s.Pending))
			put(startsAckPending, float64(s.AckPending))
			continue
		}
		put(commandsPending, float64(s.Pending), s.Service)
		put(commandsAckPending, float64(s.AckPending), s.Service)
		put(commandsRedelivered, float64(s.Redelivered), s.Service)
	}
	put(rejectedStarts, float64(f.Rejected))
	put(journalBytes, float64(f.Bytes))
	put(journalLimit, float64(f.Limit))
}

// fullness returns what the broker said last, if that is not long ago.
func (q *queues) fullness() *jetstream.Fullness {
	q.mu.Lock()
	defer q.mu.Unlock()
	if time.Since(q.asked) < queuesAge {
		return q.found
	}
	ctx, cancel := context.WithTimeout(context.Background(), queuesTimeout)
	defer cancel()
	f, err := q.ask(ctx)
	q.asked, q.found = time.Now(), &f
	if err != nil {
		q.log.Warn("how full the queues are could not be asked", "error", err)
		q.found = nil
	}
	return q.found
}
