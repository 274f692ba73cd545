package jetstream

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"segue/events"
	"segue/journal"
)

// QueueState is how full a queue is.
type QueueState struct {
	// Service is whose commands it holds; empty for the queue of starts.
	Service string
	// Pending wait to be delivered, AckPending are with workers, Redelivered of these
	// for more than the first time.
	Pending     uint64
	AckPending  int
	Redelivered int
}

// Fullness is how full the journal and what goes with it are.
type Fullness struct {
	// Bytes are those of the journal, Limit how many it takes.
	Bytes, Limit uint64
	// Rejected is how many rejected starts are kept.
	Rejected uint64
	// Queues are those that exist, that of the starts first.
	Queues []QueueState
}

// Fullness asks the broker how full all is, once. It takes the permission to look at
// the streams and to list their consumers, which an orchestrator has.
func (j *Journal) Fullness(ctx context.Context) (Fullness, error) {
	var f Fullness
	runs, err := j.stream(ctx, RunsStream)
	if err != nil {
		return f, fmt.Errorf("look at stream %s: %w", RunsStream, err)
	}
	info := runs.CachedInfo()
	f.Bytes, f.Limit = info.State.Bytes, uint64(max(0, info.Config.MaxBytes))
	rejected, err := j.stream(ctx, RejectedStream)
	if err != nil {
		return f, fmt.Errorf("look at stream %s: %w", RejectedStream, err)
	}
	f.Rejected = rejected.CachedInfo().State.Msgs
	intake, err := j.js.Consumer(ctx, StartsStream, IntakeConsumer)
	if err != nil {
		return f, fmt.Errorf("look at the queue of starts: %w", err)
	}
	f.Queues = append(f.Queues, queueState("", intake.CachedInfo()))
	list := runs.ListConsumers(ctx)
	for c := range list.Info() {
		if c.Config.Durable != "" && c.Config.FilterSubject == events.CommandFilter(c.Config.Durable) {
			f.Queues = append(f.Queues, queueState(c.Config.Durable, c))
		}
	}
	if err := list.Err(); err != nil {
		return f, fmt.Errorf("list the queues of services: %w", err)
	}
	return f, nil
}

func queueState(service string, c *jetstream.ConsumerInfo) QueueState {
	return QueueState{Service: service, Pending: c.NumPending, AckPending: c.NumAckPending, Redelivered: c.NumRedelivered}
}

// Bound says whether the queue of a service is there to be worked on.
func (j *Journal) Bound(ctx context.Context, service string) error {
	stream, cfg := queueOf(journal.Commands(service, 1), j.opts.Lease)
	_, err := j.js.Consumer(ctx, stream, cfg.Durable)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return fmt.Errorf("queue of service %s: it does not exist; an orchestrator whose sagas use the service makes it", service)
	}
	if err != nil {
		return fmt.Errorf("queue of service %s: %w", service, err)
	}
	return nil
}
