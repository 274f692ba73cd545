package jetstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"segue/events"
	"segue/journal"
)

const (
	// looks is how often a queue without a worker is looked at before that is
	// believed: between two requests a worker is not seen. lookPause lies between.
	looks     = 3
	lookPause = 150 * time.Millisecond
	// manyDeliveries is how many commands on a service's way a second time are many.
	manyDeliveries = 10
)

// queues looks at the queue of the starts and at those of the services.
func (x *examiner) queues(ctx context.Context) {
	services := slices.Clone(x.Services)
	err := x.ask(ctx, func(ctx context.Context) error {
		s, err := x.js.Stream(ctx, RunsStream)
		if err != nil {
			return err
		}
		list := s.ListConsumers(ctx)
		for c := range list.Info() {
			if c.Config.Durable != "" && c.Config.FilterSubject == events.CommandFilter(c.Config.Durable) {
				services = append(services, c.Config.Durable)
			}
		}
		return list.Err()
	})
	if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		x.unseen("services", err)
	}
	if x.seen[StartsStream] != nil {
		x.starts(ctx)
	}
	slices.Sort(services)
	for _, service := range slices.Compact(services) {
		if x.seen[RunsStream] != nil && x.service(ctx, service) {
			x.result.Services = append(x.result.Services, service)
		}
	}
}

// starts looks at the queue of start events.
func (x *examiner) starts(ctx context.Context) {
	state := x.seen[StartsStream].State
	x.result.Starts, x.result.Oldest = state.Msgs, state.FirstTime
	_, ok := x.queue(ctx, "starts", journal.Starts(0))
	if ok && state.Msgs > 0 && x.result.Orchestrators == 0 && !x.Asleep {
		x.add(Alarm, "starts", "start an orchestrator", "%d wait and no orchestrator is there to take them", state.Msgs)
	}
}

// service looks at the queue of a service's commands, and says whether it is there.
func (x *examiner) service(ctx context.Context, name string) bool {
	subject := "service " + name
	info, ok := x.queue(ctx, subject, journal.Commands(name, 0))
	if !ok {
		return false
	}
	for range looks - 1 {
		if info.NumWaiting > 0 || x.Asleep || ctx.Err() != nil {
			break
		}
		select {
		case <-time.After(lookPause):
		case <-ctx.Done():
		}
		if again, err := x.consumer(ctx, RunsStream, name); err == nil {
			info = again
		}
	}
	waits, underWay := info.NumPending, uint64(info.NumAckPending)
	quiet := info.Delivered.Last == nil || x.Now().Sub(*info.Delivered.Last) > 2*info.Config.AckWait
	counts := fmt.Sprintf("%d commands wait, %d are under way, %d of them delivered more than once", waits, underWay, info.NumRedelivered)
	do := "start the service, or look at its log: it asks for no work"
	switch {
	case info.NumWaiting > 0 || x.Asleep && waits+underWay == 0:
		x.busy(subject, info, counts)
	case x.Asleep:
		x.add(Note, subject, "", "%s until segue up", counts)
	case waits+underWay == 0:
		x.add(Warning, subject, do, "no worker is there; nothing waits for one yet")
	case underWay == 0 || quiet:
		x.add(Alarm, subject, do, "no worker is there: %s%s", counts, x.oldest(ctx, info))
	case waits > 0 && info.NumRedelivered < manyDeliveries:
		x.add(Note, subject, "run more of it, or with a higher --concurrency, if this stays", "all workers are busy: %s%s", counts, x.oldest(ctx, info))
	default:
		x.busy(subject, info, counts)
	}
	return true
}

// busy adds the finding for a service that works.
func (x *examiner) busy(subject string, info *jetstream.ConsumerInfo, counts string) {
	if info.NumRedelivered >= manyDeliveries {
		x.add(Warning, subject, "look at its log for crashes and lost leases; a command that kills its workers fails after five deliveries", "%s", counts)
		return
	}
	x.add(Fine, subject, "", "%s", counts)
}

// oldest names the oldest command that has not been answered.
func (x *examiner) oldest(ctx context.Context, info *jetstream.ConsumerInfo) string {
	text := ""
	_ = x.ask(ctx, func(ctx context.Context) error { // a help, no more
		s, err := x.js.Stream(ctx, info.Stream)
		if err != nil {
			return err
		}
		m, err := s.GetMsg(ctx, info.AckFloor.Stream+1, jetstream.WithGetMsgSubject(info.Config.FilterSubject))
		if err != nil {
			return err
		}
		if subject, err := events.ParseSubject(m.Subject); err == nil {
			text = fmt.Sprintf(", the oldest for %v (step %s of run %s)", x.Now().Sub(m.Time).Round(time.Second), subject.Step, subject.Run)
		}
		return nil
	})
	return text
}

// queue finds the durable consumer of a queue and compares it with its declaration.
func (x *examiner) queue(ctx context.Context, subject string, q journal.Queue) (*jetstream.ConsumerInfo, bool) {
	stream, wanted := queueOf(q, journal.Lease)
	info, err := x.consumer(ctx, stream, wanted.Durable)
	switch {
	case errors.Is(err, jetstream.ErrConsumerNotFound):
		x.add(Alarm, subject, "start an orchestrator with the sagas that name it, or the service as a user who may create it", "its queue, consumer %s of %s, is missing", wanted.Durable, stream)
		return nil, false
	case err != nil:
		x.unseen(subject, err)
		return nil, false
	}
	have := info.Config
	var changed []string
	for _, b := range []struct {
		is   bool
		what string
	}{
		{have.FilterSubject != wanted.FilterSubject, fmt.Sprintf("FilterSubject is %q, declared as %q", have.FilterSubject, wanted.FilterSubject)},
		{have.AckPolicy != wanted.AckPolicy, fmt.Sprintf("AckPolicy is %v", have.AckPolicy)},
		{have.MaxDeliver != wanted.MaxDeliver, fmt.Sprintf("MaxDeliver is %d: what is given up stays for ever, unseen", have.MaxDeliver)},
		{have.MaxAckPending > 0 && have.MaxAckPending < wanted.MaxAckPending, fmt.Sprintf("MaxAckPending is %d, declared as %d", have.MaxAckPending, wanted.MaxAckPending)},
		{len(have.BackOff) > 0, "it has a BackOff"},
	} {
		if b.is {
			changed = append(changed, b.what)
		}
	}
	if len(changed) > 0 {
		x.add(Alarm, subject, mendStreams, "consumer %s of %s is not as declared: %s", wanted.Durable, stream, strings.Join(changed, ", "))
	}
	if info.Paused {
		x.add(Alarm, subject, fmt.Sprintf("nats consumer resume %s %s", stream, wanted.Durable), "consumer %s of %s is paused for %v", wanted.Durable, stream, info.PauseRemaining)
	}
	if have.AckWait != wanted.AckWait {
		x.add(Note, subject, "", "a lease lasts %v, usually %v", have.AckWait, wanted.AckWait)
	}
	return info, true
}

func (x *examiner) consumer(ctx context.Context, stream, name string) (info *jetstream.ConsumerInfo, err error) {
	err = x.ask(ctx, func(ctx context.Context) error {
		c, err := x.js.Consumer(ctx, stream, name)
		if err == nil {
			info = c.CachedInfo()
		}
		return err
	})
	return info, err
}
