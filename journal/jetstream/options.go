package jetstream

import (
	"cmp"
	"fmt"
	"log/slog"
	"time"

	"segue/events"
	"segue/journal"
)

// Options say how a journal is opened. The zero value is usable.
type Options struct {
	// Partitions is the partition count of a journal that is created now. That of
	// an existing one cannot be changed: another number than its own is an error,
	// 0 takes what there is. Defaults to [journal.DefaultPartitions].
	Partitions int
	// Replicas is how many servers of a cluster keep each stream: 1, 3 or 5. It
	// raises the count of existing streams and never lowers it. Defaults to 1.
	Replicas int
	// Sizes limits the streams.
	Sizes Sizes
	// DocumentTTL is how long a document is kept. Defaults to 24 h.
	DocumentTTL time.Duration
	// HistoryTTL is how long what is kept of a run that has ended stays, if its
	// stream has the room. Defaults to 30 days.
	HistoryTTL time.Duration
	// Services names the services whose command queues are to exist, so that the
	// services themselves need no permission to create them.
	Services []string
	// Lease is how long a message belongs to its worker. Only tests have a reason
	// to change it. Defaults to [journal.Lease].
	Lease time.Duration
	// Wait is how long Bind waits for the journal to exist. Defaults to 0: not at all.
	Wait time.Duration
	// Version is noted in the metadata of what is created. Optional.
	Version string
	// Log takes what is tried again and what no caller sees. Defaults to no log.
	Log *slog.Logger
	// Fatal is called once, from a goroutine of its own, when the journal has
	// become useless for good: the broker denied it something it needs. The program
	// should log the error and end. Optional: every method returns the error, too.
	Fatal func(error)
}

func (o Options) withDefaults() Options {
	o.Partitions = cmp.Or(o.Partitions, journal.DefaultPartitions)
	o.Replicas = cmp.Or(o.Replicas, 1)
	o.Sizes = o.Sizes.withDefaults()
	o.DocumentTTL = cmp.Or(o.DocumentTTL, DefaultDocumentTTL)
	o.HistoryTTL = cmp.Or(o.HistoryTTL, DefaultHistoryTTL)
	o.Lease = cmp.Or(o.Lease, journal.Lease)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Fatal == nil {
		o.Fatal = func(error) {}
	}
	return o
}

func (o Options) validate() error {
	switch {
	case o.Partitions < 1 || o.Partitions > events.MaxPartitions:
		return fmt.Errorf("journal options: Partitions is %d, want 1 to %d", o.Partitions, events.MaxPartitions)
	case o.Replicas < 1 || o.Replicas > 5:
		return fmt.Errorf("journal options: Replicas is %d, want 1 to 5", o.Replicas)
	case o.Sizes.smallest() < 0:
		return fmt.Errorf("journal options: Sizes is %+v, want no negative number", o.Sizes)
	case min(o.DocumentTTL, o.HistoryTTL, o.Lease, o.Wait) < 0:
		return fmt.Errorf("journal options: DocumentTTL is %v, HistoryTTL %v, Lease %v, Wait %v, want no negative number", o.DocumentTTL, o.HistoryTTL, o.Lease, o.Wait)
	}
	for _, s := range o.Services {
		if !events.ValidName(s) {
			return fmt.Errorf("journal options: service name %q is not 1 to %d letters, digits, - and _", s, events.MaxToken)
		}
	}
	return nil
}
