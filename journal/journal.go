// Package journal is the seam between Segue and the message bus.
//
// A journal keeps messages by subject (package events has the table):
//
//	saga.run.>        => written once: a second message on a subject is dropped
//	saga.rejected.>   => written once
//	saga.history.>    => written once; the oldest leave when there is no room
//	saga.definition.* => the newest few of each subject
//	saga.schedule.>   => the newest of each subject
//	saga.start.*      => a work queue: a message stays until a consumer acks it
//
// Messages are kept in one total order per subject root, across restarts, and
// "stored" means on disk. There are two implementations, journal/jetstream and
// journal/memory, and one suite, journal/journaltest, that both pass.
package journal

import (
	"context"
	"errors"
	"time"

	"segue/events"
)

// Sentinel errors. Every implementation wraps them.
var (
	// ErrFull is returned by Append when the journal has reached its size limit.
	// Nothing was written; the caller waits and tries again.
	ErrFull = errors.New("journal is full")
	// ErrTooLarge is returned by Append for a message over the broker's limit.
	// Trying again is useless.
	ErrTooLarge = errors.New("message is too large for the journal")
	// ErrClosed is returned by a feed or a queue that was stopped, and by
	// everything once the journal is closed.
	ErrClosed = errors.New("journal is closed")
	// ErrLost is returned by the methods of a Delivery whose lease has run out or
	// was never granted. The message is or will be delivered to someone else.
	ErrLost = errors.New("lease on the message is lost")
)

// Journal is the bus as the rest of Segue sees it. All methods may be called
// concurrently.
type Journal interface {
	// Append stores messages. When it returns nil, each subject below saga.run,
	// saga.rejected and saga.history holds a message: this one or, if the subject
	// was taken, the earlier one, which stays as it is. Who needs to know whose
	// message won reads the subject. Anything else is stored unless a message with
	// the same Nats-Msg-Id was stored below the same root recently (2 minutes).
	//
	// Append is not atomic: after an error any subset may have been stored.
	// Repeating the whole call is always safe. The journal orders the messages of
	// one call by their position in it, as far as they are stored at the first try.
	Append(ctx context.Context, messages ...events.Message) error

	// Load returns what is stored on the subjects that match a filter (NATS
	// wildcards, below any root but saga.start) at the time of the call, in order.
	// All of it is held in memory: it is for one run, or one definition. In a cluster
	// what was stored a moment ago may be missing, where a server is asked that has not
	// applied it yet; Follow, asked there, brings it when it has.
	Load(ctx context.Context, filter string) ([]Record, error)

	// Follow delivers what is stored on the subjects that match a filter, as for
	// Load, in order, without gap and each message once: first everything behind sequence after (0 for all there is), then a
	// Record with Live set, once, then each message as it is stored. It goes on
	// through a broker's restart until ctx is done or Close is called.
	Follow(ctx context.Context, filter string, after uint64) (Feed, error)

	// Consume joins the workers of a queue. Each message is leased to one worker at
	// a time and comes again, at least once, to any of them when its lease runs out
	// or is given back. Workers of one queue share it; queues do not affect each other.
	Consume(ctx context.Context, queue Queue) (Work, error)

	// Members announces a member and delivers all that are alive, itself among them,
	// sorted by id: at first, and whenever one comes, goes or says something else. What
	// a member says is asked of it with each sign of life, a few times within
	// [MemberTTL]; say may be nil, and one that says nothing need not be heard of again. A
	// member that stops without a word is dropped within [MemberTTL] and a little. The
	// channel is closed when ctx is done, and the member then leaves at once.
	Members(ctx context.Context, id string, say func() []byte) (<-chan []Member, error)

	// Prune takes every message of a partition below a sequence out of the journal,
	// or, with [EveryPartition], of all partitions, whatever it is. Its subjects can be
	// written again from then on, so it is only for what has ended and is kept
	// elsewhere. Followers see nothing of it. It costs about the same for one message
	// and for a hundred thousand, and for all partitions no more than for one.
	Prune(ctx context.Context, partition int, before uint64) error

	// Purge does the same with the messages of one run that are stored when it is
	// called; a run that is not there is no error. It costs as much as storing them.
	Purge(ctx context.Context, run string) error

	// Info describes the journal and tells its time, the one by which Record.Stored
	// is stamped. The time returned lies between the call and the return.
	Info(ctx context.Context) (Info, error)
}

// EveryPartition is the number that stands for all partitions.
const EveryPartition = -1

// Member is one that is alive.
type Member struct {
	ID   string
	Said []byte // what it said last; not to be changed
}

// MemberTTL is how long a member counts as alive without a sign of life. With
// the time to notice and to read a partition, its work is taken over within 5 s.
const MemberTTL = 3 * time.Second

// DefaultPartitions is the partition count of a new journal.
const DefaultPartitions = 16

// Info describes a journal.
type Info struct {
	// ID tells this journal from one that was there before it under the same name.
	ID string
	// Partitions is fixed when the journal is created, see [events.PartitionOf].
	Partitions int
	// Now is the journal's time.
	Now time.Time
	// Last is the sequence of the message stored last below saga.run; 0 if there
	// is none. Following behind it brings only what is new.
	Last uint64
}

// Feed delivers what Follow promises. Its methods may be called from different
// goroutines, but Next from one at a time.
type Feed interface {
	// Next waits for the next record. It returns the context's error when ctx is
	// done, losing nothing, and ErrClosed after Close.
	Next(ctx context.Context) (Record, error)
	// Close ends the feed. It may be called more than once.
	Close()
}

// Record is one message as stored, or the mark between replay and live delivery.
type Record struct {
	events.Message
	// Sequence is the message's position, from 1, growing but not contiguous
	// within a filter.
	Sequence uint64
	// Stored is the journal's time of storing it.
	Stored time.Time
	// Live marks a record that holds no message: all that was stored when the
	// feed began has been delivered.
	Live bool
}

// Queue names messages that workers share.
type Queue struct {
	// Service selects the commands for a service. Empty selects the start events.
	Service string
	// Limit is how many messages may be leased to this worker at a time. Defaults
	// to [DefaultLimit].
	Limit int
}

// Starts is the queue of start events.
func Starts(limit int) Queue { return Queue{Limit: limit} }

// Commands is the queue of a service's commands.
func Commands(service string, limit int) Queue { return Queue{Service: service, Limit: limit} }

const (
	// DefaultLimit is the default of Queue.Limit.
	DefaultLimit = 16
	// Lease is how long a message belongs to its worker without a sign of life.
	Lease = 30 * time.Second
)

// Work delivers the messages of a queue. Next may be called from several
// goroutines.
type Work interface {
	// Next waits for a message. It returns the context's error when ctx is done and
	// ErrClosed after Close.
	Next(ctx context.Context) (Delivery, error)
	// Close stops the delivery. Messages delivered and not settled stay leased and
	// may still be settled. It may be called more than once.
	Close()
}

// Delivery is a message under lease. It is settled once, by Ack, DoubleAck or Nak; settling
// it again, or when the lease is lost, returns ErrLost.
type Delivery interface {
	// Message returns the message. Its memory belongs to the caller.
	Message() events.Message
	// Stored is the journal's time of storing it.
	Stored() time.Time
	// Count says how often this message has been delivered, from 1.
	Count() int
	// Ack removes the message from the queue, as far as the broker hears of it: it
	// waits for no answer, and a message whose ack is lost comes again. It is for
	// what has left its trace already and is recognised then.
	Ack() error
	// DoubleAck removes the message from the queue. When it returns nil the broker has
	// confirmed that it will not deliver it again.
	DoubleAck(ctx context.Context) error
	// Nak gives the message back, to be delivered again after the delay.
	Nak(delay time.Duration) error
	// Extend renews the lease: from now it lasts [Lease] again.
	Extend() error
}
