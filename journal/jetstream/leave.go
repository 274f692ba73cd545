package jetstream

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"segue/events"
	"segue/journal"
)

// What leaves the journal. The server (2.15.2) takes a message out by its sequence
// in the time it takes to store one. To purge by subject it counts anew, for each
// consumer of the stream, what that has still to come: with 600,000 subjects and
// traffic that is a tenth of a second and more, whatever is purged, in which nothing
// else is stored, and it reads all that there is of the subjects into memory: of a
// partition that is nearly every file of the stream, and takes seconds. To purge all
// subjects up to a sequence it counts as well, but drops most files unread. So single
// runs leave message by message, and purging is for many runs at once.

// Prune implements [journal.Journal].
func (j *Journal) Prune(ctx context.Context, partition int, before uint64) error {
	err := j.patiently(ctx, "prune", func(ctx context.Context) error {
		s, err := j.stream(ctx, RunsStream)
		if err != nil {
			return err
		}
		options := []jetstream.StreamPurgeOpt{jetstream.WithPurgeSequence(before)}
		if partition != journal.EveryPartition {
			options = append(options, jetstream.WithPurgeSubject(events.PartitionFilter(partition)))
		}
		return s.Purge(ctx, options...)
	})
	if err != nil {
		if partition == journal.EveryPartition {
			return fmt.Errorf("prune all partitions: %w", err)
		}
		return fmt.Errorf("prune partition %d: %w", partition, err)
	}
	return nil
}

// Purge implements [journal.Journal]. What comes after the call stays, also when an
// answer is lost and the request made again: the run may have been started anew by
// then.
func (j *Journal) Purge(ctx context.Context, run string) error {
	if !events.ValidName(run) {
		return fmt.Errorf("purge run %q: %w", run, events.ErrSubject)
	}
	records, err := j.Load(ctx, events.RunFilter(run))
	if err != nil {
		return fmt.Errorf("purge run %s: %w", run, err)
	}
	if len(records) == 0 {
		return nil
	}
	err = j.patiently(ctx, "purge run "+run, func(ctx context.Context) error {
		s, err := j.stream(ctx, RunsStream)
		if err != nil {
			return err
		}
		if s.CachedInfo().Config.DenyDelete { // a journal of an earlier release: that cannot be taken back
			last := records[len(records)-1].Sequence
			return s.Purge(ctx, jetstream.WithPurgeSubject(events.RunFilter(run)), jetstream.WithPurgeSequence(last+1))
		}
		return deleteMessages(ctx, s, records)
	})
	if err != nil {
		return fmt.Errorf("purge run %s: %w", run, err)
	}
	return nil
}

// deletesInFlight is how many messages of a run are taken out at a time.
const deletesInFlight = 16

// deleteMessages takes the messages of a run out, the first before all others: what
// is left of a run without its start, should the rest fail, is no run.
func deleteMessages(ctx context.Context, s jetstream.Stream, records []journal.Record) error {
	if err := deleteMessage(ctx, s, records[0].Sequence); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(deletesInFlight)
	for _, r := range records[1:] {
		group.Go(func() error { return deleteMessage(ctx, s, r.Sequence) })
	}
	return group.Wait()
}

// codeDeleteFailed is the server's answer when there is no such message, among
// other things.
const codeDeleteFailed jetstream.ErrorCode = 10057

// deleteMessage takes one message out. One that is not there is no error: the
// answer to an earlier request may have been lost.
func deleteMessage(ctx context.Context, s jetstream.Stream, sequence uint64) error {
	err := s.DeleteMsg(ctx, sequence)
	if api := new(jetstream.APIError); errors.As(err, &api) && api.ErrorCode == codeDeleteFailed {
		if _, look := s.GetMsg(ctx, sequence); errors.Is(look, jetstream.ErrMsgNotFound) {
			return nil
		}
	}
	return err
}
