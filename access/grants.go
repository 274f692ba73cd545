package access

import (
	"encoding/base64"
	"maps"
	"slices"
	"strconv"

	"segue/document"
	"segue/events"
	"segue/journal"
	"segue/journal/jetstream"
)

// declared are the streams that an orchestrator makes.
var declared = []string{
	jetstream.RunsStream, jetstream.StartsStream, jetstream.RejectedStream, jetstream.HistoryStream, jetstream.DefinitionsStream, jetstream.SchedulesStream,
	"KV_" + jetstream.MembersBucket, "KV_" + jetstream.HostsBucket,
	"OBJ_" + document.DataBucket, "OBJ_" + document.DocumentsBucket, "OBJ_" + document.SchemasBucket,
}

// catalog is the service that runs in the saver's program.
const catalog = "catalog"

// Identities returns everybody: those of Segue itself and the services given.
func Identities(own Services) []Identity {
	all := shipped()
	for _, name := range slices.Sorted(maps.Keys(own)) {
		grants := serves(name)
		switch own[name] {
		case ReadDocuments:
			grants = append(grants, objects("reads documents", document.DocumentsBucket, false))
		case WriteDocuments:
			grants = append(grants, objects("reads, writes and removes documents", document.DocumentsBucket, true))
		}
		all = append(all, Identity{Name: name, About: "A service of your own.", Grants: grants})
	}
	handsOff(all, own)
	return all
}

// shipped returns the identities of Segue itself.
func shipped() []Identity {
	schemas := objects("looks up schemas", document.SchemasBucket, false)
	reads := objects("reads documents", document.DocumentsBucket, false)
	writes := objects("reads, writes and removes documents", document.DocumentsBucket, true)
	return []Identity{
		{
			Name: "orchestrator", Inside: true, Grants: orchestrates(),
			About: "Declares the streams, takes in starts, carries runs to their end.",
		},
		{
			Name: "fetcher", Grants: append(serves("fetcher"), writes, takesTurns),
			About: "To let it read nats-object://BUCKET/..., grant $JS.API.STREAM.INFO.OBJ_BUCKET, $JS.API.STREAM.MSG.GET.OBJ_BUCKET and $JS.API.DIRECT.GET.OBJ_BUCKET.",
		},
		{Name: "validator", About: "Reads documents.", Grants: append(serves("validator"), reads, schemas)},
		{Name: "parser", About: "Reads documents and writes records, which are documents too.", Grants: append(serves("parser"), writes, schemas)},
		{
			Name: "saver", Grants: append(serves("saver", catalog), reads),
			About: "Reads records; the catalog runs in its program.",
		},
		{
			Name: "caller", Grants: []Grant{starts},
			About: "Starts runs, as with: nats pub --jetstream --inbox-prefix _INBOX_caller saga.start.ingest '{...}'",
		},
		{
			Name: "operator", Grants: append(slices.Concat(looks(), examines()), operates()...),
			About: "Looks at runs, starts, cancels and retries them, applies definitions, schedules and schemas, with the segue command.",
		},
		{
			Name: "observer", Grants: looks(),
			About: "Looks at runs and changes nothing: segue ls, show and watch, nats sub --stream.",
		},
		{
			Name: "admin", Inside: true, Grants: []Grant{{For: "everything: no program needs this; it is for backups and for the limits of streams", Subjects: []string{">"}}},
			About: "Whoever looks after the broker.",
		},
	}
}

var starts = Grant{"starts runs", []string{"saga.start.*"}}

// takesTurns is for the limits that the fetchers keep together.
var takesTurns = Grant{"takes turns at hosts", []string{
	"$JS.API.STREAM.INFO.KV_" + jetstream.HostsBucket, "$JS.API.DIRECT.GET.KV_" + jetstream.HostsBucket + ".>", "$KV." + jetstream.HostsBucket + ".>",
}}

// serves is what services of the given names need, in one program.
func serves(names ...string) (grants []Grant) {
	const stream = jetstream.RunsStream
	for _, name := range names {
		outcomes := "saga.run.*.*.outcome." + name + ".>"
		grants = append(grants,
			Grant{"publishes outcomes of " + name, []string{outcomes}},
			Grant{"takes commands for " + name, []string{
				"$JS.API.STREAM.INFO." + stream, "$JS.API.CONSUMER.INFO." + stream + "." + name, "$JS.API.CONSUMER.MSG.NEXT." + stream + "." + name,
				"$JS.ACK." + stream + "." + name + ".>", "$JS.ACK.*.*." + stream + "." + name + ".>",
			}},
			Grant{"sees whether a command that comes again is answered", []string{"$JS.API.DIRECT.GET." + stream + "." + outcomes}},
		)
	}
	return append(grants, objects("puts large data aside", document.DataBucket, true))
}

// orchestrates is what carrying runs on needs. It writes the journal, so it is
// trusted with runs; but it takes no stream away, and writes for nobody else.
func orchestrates() []Grant {
	grants := []Grant{
		{"writes the journal", []string{
			"saga.run.*.*.started", "saga.run.*.*.command.>", "saga.run.*.*.signal." + events.SignalDeadline, events.AllEnds,
			"saga.run.*.*.outcome.>", // attempts that timed out
		}},
		{"lets runs leave it", []string{
			"$JS.API.STREAM.PURGE." + jetstream.RunsStream, "$JS.API.STREAM.MSG.DELETE." + jetstream.RunsStream,
			"$JS.API.STREAM.MSG.GET." + jetstream.RunsStream,
		}},
		{"keeps history and rejected starts", []string{events.AllHistory, events.AllRejected}},
		{"takes in starts", []string{
			"$JS.API.CONSUMER.INFO." + jetstream.StartsStream + "." + jetstream.IntakeConsumer,
			"$JS.API.CONSUMER.CREATE." + jetstream.StartsStream + "." + jetstream.IntakeConsumer + ".>",
			"$JS.API.CONSUMER.MSG.NEXT." + jetstream.StartsStream + "." + jetstream.IntakeConsumer,
			"$JS.ACK." + jetstream.StartsStream + "." + jetstream.IntakeConsumer + ".>",
			"$JS.ACK.*.*." + jetstream.StartsStream + "." + jetstream.IntakeConsumer + ".>",
		}},
		reads("reads the journal, makes the queues of services", jetstream.RunsStream),
		reads("reads the history", jetstream.HistoryStream),
		reads("reads rejected starts", jetstream.RejectedStream),
		reads("reads definitions", jetstream.DefinitionsStream),
		reads("reads schedules", jetstream.SchedulesStream),
		Grant{"starts runs by schedule", starts.Subjects},
		reads("sees who else orchestrates", "KV_"+jetstream.MembersBucket),
		{"says that it is alive", []string{"$KV." + jetstream.MembersBucket + ".*"}},
		objects("keeps large data and snapshots", document.DataBucket, true),
	}
	declares := Grant{For: "declares streams"}
	for _, stream := range declared {
		for _, verb := range []string{"INFO", "CREATE", "UPDATE"} {
			declares.Subjects = append(declares.Subjects, "$JS.API.STREAM."+verb+"."+stream)
		}
	}
	return append(grants, declares)
}

// objects is the use of a bucket.
func objects(what, bucket string, write bool) Grant {
	stream := "OBJ_" + bucket
	g := Grant{what, []string{"$JS.API.STREAM.INFO." + stream, "$JS.API.STREAM.MSG.GET." + stream, "$JS.API.DIRECT.GET." + stream}}
	if write {
		g.Subjects = append(g.Subjects, "$JS.API.STREAM.PURGE."+stream, "$O."+bucket+".>")
	}
	return g
}

// reads is what reading a stream needs, from the beginning or as it grows.
func reads(what, stream string) Grant {
	return Grant{what, []string{
		"$JS.API.STREAM.INFO." + stream, "$JS.API.DIRECT.GET." + stream, "$JS.API.DIRECT.GET." + stream + ".>",
		"$JS.API.CONSUMER.CREATE." + stream + ".>", "$JS.API.CONSUMER.INFO." + stream + ".*",
		"$JS.API.CONSUMER.DELETE." + stream + ".*", "$JS.API.CONSUMER.MSG.NEXT." + stream + ".*",
	}}
}

// looks is what everybody needs who looks at runs.
func looks() []Grant {
	return []Grant{
		reads("reads the journal", jetstream.RunsStream),
		reads("reads the history", jetstream.HistoryStream),
		reads("reads rejected starts", jetstream.RejectedStream),
		reads("reads definitions", jetstream.DefinitionsStream),
		reads("reads schedules", jetstream.SchedulesStream),
		objects("reads large data", document.DataBucket, false),
		{"sees that documents are kept", []string{"$JS.API.STREAM.INFO.OBJ_" + document.DocumentsBucket}},
	}
}

// examines is what segue doctor looks at beside that.
func examines() []Grant {
	return []Grant{{"looks what is wrong: segue doctor", []string{
		"$JS.API.INFO", "$JS.API.STREAM.INFO." + jetstream.StartsStream, "$JS.API.CONSUMER.INFO." + jetstream.StartsStream + "." + jetstream.IntakeConsumer,
		"$JS.API.STREAM.INFO.KV_" + jetstream.MembersBucket, "$JS.API.DIRECT.GET.KV_" + jetstream.MembersBucket + ".>",
		"$JS.API.STREAM.INFO.KV_" + jetstream.HostsBucket, "$JS.API.CONSUMER.LIST." + jetstream.RunsStream,
	}}}
}

// operates is what the segue command changes.
func operates() []Grant {
	return []Grant{
		starts,
		{"cancels and retries runs", []string{"saga.run.*.*.signal.*"}},
		{"applies definitions", []string{events.AllDefinitions}},
		{"sets schedules", []string{events.AllSchedules}},
		{"retries rejected starts", []string{"saga.rejected.*.*", "$JS.API.STREAM.PURGE." + jetstream.RejectedStream}},
		objects("puts large data aside", document.DataBucket, true),
		objects("registers schemas", document.SchemasBucket, true),
	}
}

// handsOff denies what grants by wildcard would allow: to those who read the journal,
// to change, take away or empty the queue of a service; to those who put data aside,
// to replace a snapshot, which an orchestrator takes for its own.
func handsOff(all []Identity, own Services) {
	services := append([]string{"fetcher", "validator", "parser", "saver", catalog}, slices.Sorted(maps.Keys(own))...)
	queues := Grant{For: "the queues of services"}
	for _, name := range services {
		queue := jetstream.RunsStream + "." + name
		queues.Subjects = append(queues.Subjects, "$JS.API.CONSUMER.CREATE."+queue, "$JS.API.CONSUMER.CREATE."+queue+".>",
			"$JS.API.CONSUMER.DELETE."+queue, "$JS.API.CONSUMER.MSG.NEXT."+queue)
	}
	snapshots := Grant{For: "snapshots"}
	for n := range journal.DefaultPartitions {
		snapshots.Subjects = append(snapshots.Subjects, snapshot(strconv.Itoa(n)))
	}
	snapshots.Subjects = append(snapshots.Subjects, snapshot("schedules"))
	deadline := Grant{"the signal of the orchestrator", []string{"saga.run.*.*.signal." + events.SignalDeadline}}
	for i := range all {
		switch name := all[i].Name; {
		case name == "operator":
			all[i].Denied = []Grant{queues, snapshots, deadline}
		case name == "observer":
			all[i].Denied = []Grant{queues}
		case !all[i].Inside && name != "caller":
			all[i].Denied = []Grant{snapshots}
		}
	}
}

// snapshot is the subject of the snapshot of a partition or of the schedules, see package
// saga/engine.
func snapshot(of string) string {
	name := "snapshot/" + of
	return "$O." + document.DataBucket + ".M." + base64.URLEncoding.EncodeToString([]byte(name))
}
