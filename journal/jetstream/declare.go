package jetstream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"

	"segue/events"
	"segue/journal"
)

// ErrPartitions is returned when the caller insists on a partition count that
// is not the journal's: the count is part of every subject and cannot change.
var ErrPartitions = errors.New("the journal has another partition count")

// Declare makes the streams, buckets and consumers of Segue exist. It creates
// what is missing and brings what is there up to date, but deletes nothing and
// takes nothing away: of a size, a replica count or a time to live, the larger
// one stays. Settings that Segue does not speak of are left as they are.
// Calling it again, or from many processes at once, is safe.
func Declare(ctx context.Context, js jetstream.JetStream, o Options) error {
	asked := o.Partitions
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return err
	}
	for _, wanted := range streams(o) {
		got, err := declareStream(ctx, js, wanted, o)
		if err != nil {
			return fmt.Errorf("declare stream %s: %w", wanted.Name, err)
		}
		if wanted.Name != RunsStream {
			continue
		}
		if n, err := partitionsOf(got); err != nil {
			return err
		} else if asked != 0 && asked != n {
			return fmt.Errorf("%w: it has %d and %d were asked for: leave the number away", ErrPartitions, n, asked)
		}
	}
	for _, q := range o.queues() {
		if err := declareQueue(ctx, js, q, o); err != nil {
			return err
		}
	}
	return nil
}

// queues returns the queues that are to exist.
func (o Options) queues() []journal.Queue {
	queues := []journal.Queue{journal.Starts(0)}
	for _, service := range o.Services {
		queues = append(queues, journal.Commands(service, 0))
	}
	return queues
}

// Declared returns what [Declare] makes where there is nothing yet: the streams,
// and by the name of its stream each durable consumer.
func Declared(o Options) ([]jetstream.StreamConfig, map[string][]jetstream.ConsumerConfig) {
	o = o.withDefaults()
	all := streams(o)
	for i := range all {
		all[i].Replicas, all[i].Metadata = o.Replicas, o.stamp(all[i].Metadata)
	}
	consumers := make(map[string][]jetstream.ConsumerConfig)
	for _, q := range o.queues() {
		stream, c := queueOf(q, o.Lease)
		c.Metadata = o.stamp(c.Metadata)
		consumers[stream] = append(consumers[stream], c)
	}
	return all, consumers
}

// declareTries bounds how often Declare looks again because another process
// declares at the same time.
const declareTries = 5

func declareStream(ctx context.Context, js jetstream.JetStream, wanted jetstream.StreamConfig, o Options) (jetstream.StreamConfig, error) {
	wanted.Replicas = o.Replicas
	wanted.Metadata = o.stamp(wanted.Metadata)
	var err error
	for range declareTries {
		var s jetstream.Stream
		s, err = js.Stream(ctx, wanted.Name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			s, err = js.CreateStream(ctx, wanted)
			if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
				continue // someone was faster; look at what they made
			}
		}
		if err != nil {
			break
		}
		have := s.CachedInfo().Config
		merged := mergeStream(have, wanted)
		if reflect.DeepEqual(have, merged) {
			return have, nil
		}
		merged.Metadata = o.stamp(merged.Metadata)
		if s, err = js.UpdateStream(ctx, merged); err == nil {
			return s.CachedInfo().Config, nil
		}
	}
	if api := new(jetstream.APIError); errors.As(err, &api) && api.ErrorCode == codeStorageReserved {
		return wanted, fmt.Errorf("%w: the broker has no %d bytes left to reserve: lower the stream's size or raise the broker's max_file_store", err, wanted.MaxBytes)
	}
	return wanted, err
}

// codeStorageReserved is the server's "insufficient storage resources available".
const codeStorageReserved jetstream.ErrorCode = 10047

// mergeStream puts what Segue relies on over a stream as it is. The version is
// not a difference by itself, or two releases would update each other's streams
// in turns.
func mergeStream(have, wanted jetstream.StreamConfig) jetstream.StreamConfig {
	m := have
	m.Description = wanted.Description
	m.Subjects = wanted.Subjects
	m.MaxMsgsPerSubject = larger(have.MaxMsgsPerSubject, wanted.MaxMsgsPerSubject)
	m.Discard = wanted.Discard
	m.DiscardNewPerSubject = wanted.DiscardNewPerSubject
	if wanted.DiscardNewPerSubject {
		m.MaxMsgsPerSubject = wanted.MaxMsgsPerSubject // not a size but what "written once" means
	}
	m.MaxBytes = larger(have.MaxBytes, wanted.MaxBytes)
	if have.MaxAge = max(have.MaxAge, 0); have.MaxAge == 0 || wanted.MaxAge == 0 {
		m.MaxAge = 0
	} else {
		m.MaxAge = max(have.MaxAge, wanted.MaxAge)
	}
	m.Replicas = max(have.Replicas, wanted.Replicas)
	m.DenyDelete = have.DenyDelete || wanted.DenyDelete
	m.AllowRollup = wanted.AllowRollup
	m.AllowDirect = wanted.AllowDirect
	m.AllowAtomicPublish = have.AllowAtomicPublish || wanted.AllowAtomicPublish
	m.Metadata = maps.Clone(have.Metadata)
	if m.Metadata == nil {
		m.Metadata = make(map[string]string)
	}
	for k, v := range wanted.Metadata {
		if _, set := m.Metadata[k]; !set || k == MetaTopology {
			m.Metadata[k] = v
		}
	}
	return m
}

// larger compares limits, of which none (0 or less) is the largest.
func larger(a, b int64) int64 {
	if a <= 0 || b <= 0 {
		return -1
	}
	return max(a, b)
}

func (o Options) stamp(metadata map[string]string) map[string]string {
	m := maps.Clone(metadata)
	if m == nil {
		m = make(map[string]string)
	}
	m[MetaTopology] = topologyVersion
	if o.Version != "" {
		m[MetaVersion] = o.Version
	}
	return m
}

func declareQueue(ctx context.Context, js jetstream.JetStream, q journal.Queue, o Options) error {
	stream, wanted := queueOf(q, o.Lease)
	c, err := js.Consumer(ctx, stream, wanted.Durable)
	switch {
	case errors.Is(err, jetstream.ErrConsumerNotFound):
		wanted.Metadata = o.stamp(wanted.Metadata)
		_, err = js.CreateOrUpdateConsumer(ctx, stream, wanted)
	case err == nil:
		have := c.CachedInfo().Config
		merged := have
		merged.Description = wanted.Description
		merged.FilterSubject = wanted.FilterSubject
		merged.AckWait = wanted.AckWait
		merged.MaxDeliver = wanted.MaxDeliver
		merged.MaxAckPending = max(have.MaxAckPending, wanted.MaxAckPending)
		if !reflect.DeepEqual(have, merged) {
			merged.Metadata = o.stamp(merged.Metadata)
			_, err = js.UpdateConsumer(ctx, stream, merged)
		}
	}
	if err != nil {
		return fmt.Errorf("declare consumer %s of %s: %w", wanted.Durable, stream, err)
	}
	return nil
}

// partitionsOf reads the partition count off the journal's stream.
func partitionsOf(c jetstream.StreamConfig) (int, error) {
	n, err := strconv.Atoi(c.Metadata[MetaPartitions])
	if err != nil || n < 1 || n > events.MaxPartitions {
		return 0, fmt.Errorf("stream %s is not Segue's: its metadata %s is %q, want 1 to %d", RunsStream, MetaPartitions, c.Metadata[MetaPartitions], events.MaxPartitions)
	}
	return n, nil
}
