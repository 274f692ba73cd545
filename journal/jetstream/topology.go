package jetstream

import (
	"cmp"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"segue/document"
	"segue/events"
	"segue/journal"
)

// The streams, as the nats CLI shows them. A bucket is a stream, too.
const (
	RunsStream        = "SAGA_RUNS"
	StartsStream      = "SAGA_STARTS"
	RejectedStream    = "SAGA_REJECTED"
	HistoryStream     = "SAGA_HISTORY"
	DefinitionsStream = "SAGA_DEFINITIONS"
	SchedulesStream   = "SAGA_SCHEDULES"
	MembersBucket     = "SAGA_ORCHESTRATORS"
	membersStream     = "KV_" + MembersBucket
	HostsBucket       = "SAGA_HOSTS"
	hostsStream       = "KV_" + HostsBucket
	dataStream        = "OBJ_" + document.DataBucket
	documentsStream   = "OBJ_" + document.DocumentsBucket
	schemasStream     = "OBJ_" + document.SchemasBucket
)

// IntakeConsumer is the durable consumer of the start events. The consumer of a
// service's commands has the name of the service.
const IntakeConsumer = "intake"

// The metadata of streams and consumers.
const (
	// MetaPartitions is the partition count of the journal, on SAGA_RUNS. It is
	// written when the stream is created and never changed.
	MetaPartitions = "segue.partitions"
	// MetaTopology is the version of this file.
	MetaTopology = "segue.topology"
	// MetaVersion is the version of Segue that made or last changed the thing.
	MetaVersion = "segue.version"

	topologyVersion = "2"
)

// Sizes are the limits of the streams, in bytes on disk. A stream that has
// reached its limit refuses what is new and keeps what it has, but for History
// and Definitions, whose oldest messages make room. Without a limit a full disk
// would freeze a stream until the server is restarted. The server reserves their
// sum and refuses to create what does not fit.
type Sizes struct {
	// Runs is for the journal. A run of four steps takes about 10 KiB. Defaults to 1 GiB.
	Runs int64
	// Starts is for start events not yet taken up. Defaults to 128 MiB.
	Starts int64
	// Rejected is for starts that became no run. Defaults to 64 MiB.
	Rejected int64
	// History is for what is kept of runs that have ended, about 1 KiB each.
	// Defaults to 512 MiB.
	History int64
	// Definitions is for definitions that were applied. Defaults to 64 MiB.
	Definitions int64
	// Data is for event data over 16 KiB and definitions. Defaults to 512 MiB.
	Data int64
	// Documents is for documents and records under way. Defaults to 2 GiB.
	Documents int64
}

func (s Sizes) withDefaults() Sizes {
	return Sizes{
		Runs:        cmp.Or(s.Runs, 1<<30),
		Starts:      cmp.Or(s.Starts, 128<<20),
		Rejected:    cmp.Or(s.Rejected, 64<<20),
		History:     cmp.Or(s.History, 512<<20),
		Definitions: cmp.Or(s.Definitions, 64<<20),
		Data:        cmp.Or(s.Data, 512<<20),
		Documents:   cmp.Or(s.Documents, 2<<30),
	}
}

func (s Sizes) smallest() int64 {
	return min(s.Runs, s.Starts, s.Rejected, s.History, s.Definitions, s.Data, s.Documents)
}

const (
	// DefaultDocumentTTL is the default of Options.DocumentTTL.
	DefaultDocumentTTL = 24 * time.Hour
	// DefaultHistoryTTL is the default of Options.HistoryTTL.
	DefaultHistoryTTL = 30 * 24 * time.Hour
	// DuplicateWindow is how long the broker knows a message by its Nats-Msg-Id.
	DuplicateWindow = 2 * time.Minute
	// DefinitionsKept is how many definitions of a name stay when newer ones are
	// applied.
	DefinitionsKept = 16
	// schedulesSize is enough for tens of thousands of schedules.
	schedulesSize = 16 << 20
	// membersSize is plenty: a key a member.
	membersSize = 1 << 20
	// hostsTTL is how long it is known of a host who has been there; the longest turn
	// between two signs of life takes seconds.
	hostsTTL = 10 * time.Minute
	// hostsSize is enough for 10,000 hosts that are fetched from at a time.
	hostsSize = 16 << 20
	// schemasSize is enough for thousands of schemas.
	schemasSize = 64 << 20
	// MaxAckPending is how many messages of a queue may be leased at a time, over
	// all its workers; the limit of each is its Queue.Limit.
	MaxAckPending = 10_000
	// maxWaiting is how many workers of a queue may wait at a time.
	maxWaiting = 2048
)

// streams is all that Segue keeps in the broker. The journal comes last: who waits
// for it finds the rest when it is there.
func streams(o Options) []jetstream.StreamConfig {
	return []jetstream.StreamConfig{
		{
			Name:        StartsStream,
			Description: "Segue's start events, until the orchestrator has taken them up",
			Subjects:    []string{events.AllStarts},
			Retention:   jetstream.WorkQueuePolicy,
			Discard:     jetstream.DiscardNew,
			MaxBytes:    o.Sizes.Starts,
			Duplicates:  DuplicateWindow,
		},
		{
			Name:                 RejectedStream,
			Description:          "Start events that could not become runs, with the reason",
			Subjects:             []string{events.AllRejected},
			MaxMsgsPerSubject:    1,
			Discard:              jetstream.DiscardNew,
			DiscardNewPerSubject: true,
			MaxBytes:             o.Sizes.Rejected,
			AllowDirect:          true,
		},
		{
			Name:               HistoryStream,
			Description:        "What is kept of Segue's runs that have ended and left the journal",
			Subjects:           []string{events.AllHistory},
			Discard:            jetstream.DiscardOld,
			MaxBytes:           o.Sizes.History,
			MaxAge:             o.HistoryTTL,
			AllowAtomicPublish: true, // as for the journal
			AllowDirect:        true,
			Compression:        jetstream.S2Compression,
		},
		{
			Name:              DefinitionsStream,
			Description:       "Definitions of Segue's sagas as they were applied, the last of each name in force",
			Subjects:          []string{events.AllDefinitions},
			MaxMsgsPerSubject: DefinitionsKept,
			Discard:           jetstream.DiscardOld,
			MaxBytes:          o.Sizes.Definitions,
			Duplicates:        DuplicateWindow,
			AllowDirect:       true,
		},
		{
			Name:              SchedulesStream,
			Description:       "When runs of Segue's sagas start, a message a schedule",
			Subjects:          []string{events.AllSchedules},
			MaxMsgsPerSubject: 1,
			Discard:           jetstream.DiscardNew, // none leaves because there are many
			MaxBytes:          schedulesSize,
			Duplicates:        DuplicateWindow,
			AllowDirect:       true,
		},
		{
			Name:              membersStream,
			Description:       "Segue's orchestrators that are alive",
			Subjects:          []string{membersPrefix + ">"},
			MaxMsgsPerSubject: 1,
			MaxAge:            journal.MemberTTL,
			Duplicates:        journal.MemberTTL,
			MaxBytes:          membersSize,
			Discard:           jetstream.DiscardNew,
			AllowRollup:       true,
			AllowDirect:       true,
			DenyDelete:        true,
		},
		{
			Name:              hostsStream,
			Description:       "Which of Segue's fetchers is at which host, for the limits that they share",
			Subjects:          []string{"$KV." + HostsBucket + ".>"},
			MaxMsgsPerSubject: 1,
			MaxAge:            hostsTTL,
			Duplicates:        DuplicateWindow,
			MaxBytes:          hostsSize,
			Discard:           jetstream.DiscardNew,
			AllowRollup:       true,
			AllowDirect:       true,
			DenyDelete:        true,
		},
		objects(document.DataBucket, "Segue's large event data and definitions, by digest", o.Sizes.Data, 0),
		objects(document.DocumentsBucket, "Segue's documents, by run, step and attempt", o.Sizes.Documents, o.DocumentTTL),
		objects(document.SchemasBucket, "Schemas that are registered with Segue, by name and version", schemasSize, 0),
		{
			Name:        RunsStream,
			Description: "Segue's journal: every message of every run, each subject written once",
			Subjects:    []string{events.AllRuns},
			MaxBytes:    o.Sizes.Runs,
			Metadata:    map[string]string{MetaPartitions: strconv.Itoa(o.Partitions)},
			// Written once: these three together make the broker refuse the second
			// message on a subject. AllowRollup and AllowMsgTTL would undo it: the
			// header Nats-Rollup replaces a message, Nats-TTL lets it vanish.
			MaxMsgsPerSubject:    1,
			Discard:              jetstream.DiscardNew,
			DiscardNewPerSubject: true,
			// Deleting and purging stay possible: that is how runs leave, see Prune. Whoever
			// may do either can free a subject; only orchestrators should.
			AllowAtomicPublish: true, // many messages, one sync
			AllowDirect:        true,
			Compression:        jetstream.S2Compression,
		},
	}
}

// objects is an object store as ADR-20 lays it out. Zero ttl is for ever.
func objects(bucket, description string, size int64, ttl time.Duration) jetstream.StreamConfig {
	c := jetstream.StreamConfig{
		Name:        "OBJ_" + bucket,
		Description: description,
		Subjects:    []string{"$O." + bucket + ".C.>", "$O." + bucket + ".M.>"},
		MaxAge:      ttl,
		MaxBytes:    size,
		Discard:     jetstream.DiscardNew,
		AllowRollup: true,
		AllowDirect: true,
	}
	if ttl > 0 {
		c.Duplicates = min(ttl, DuplicateWindow) // the server wants it no longer than MaxAge
	}
	return c
}

// queueOf returns the stream and the durable consumer of a queue.
func queueOf(q journal.Queue, lease time.Duration) (stream string, consumer jetstream.ConsumerConfig) {
	c := jetstream.ConsumerConfig{
		Durable:       IntakeConsumer,
		Description:   "Segue's intake of start events",
		FilterSubject: events.AllStarts,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       lease,
		MaxDeliver:    -1, // a message that is given up would stay for ever, unseen
		MaxAckPending: MaxAckPending,
		MaxWaiting:    maxWaiting,
		Metadata:      map[string]string{MetaTopology: topologyVersion},
	}
	if q.Service == "" {
		return StartsStream, c
	}
	c.Durable = q.Service
	c.Description = "Commands for the service " + q.Service
	c.FilterSubject = events.CommandFilter(q.Service)
	return RunsStream, c
}
