// Package jetstream is the journal on NATS JetStream.
//
// All it keeps in the broker is declared in topology.go:
//
//	SAGA_RUNS            saga.run.>                  => the journal: each subject written once, kept until purged
//	SAGA_STARTS          saga.start.*                => work queue: start events until the orchestrator has taken them up
//	SAGA_REJECTED        saga.rejected.>             => starts that became no run: written once, kept
//	SAGA_HISTORY         saga.history.>              => what is kept of runs that have ended: written once, 30 days; the oldest make room
//	SAGA_DEFINITIONS     saga.definition.*           => definitions as they were applied, the last 16 of each name
//	SAGA_SCHEDULES       saga.schedule.*.*           => when runs start, one message a schedule
//	SAGA_ORCHESTRATORS   KV bucket, TTL 3 s          => <orchestrator id> => a sign of life, empty
//	SAGA_DATA            object store                => <sha256> => event data over 16 KiB, definitions
//	SAGA_DOCUMENTS       object store, TTL 24 h      => <run>/<step>/<attempt> => documents, records
//	consumer <service>   of SAGA_RUNS                => the commands for a service, shared by its workers
//	consumer intake      of SAGA_STARTS              => the starts, shared by the orchestrators
//
// nats-server 2.12 or newer is needed. "Stored" means on disk only if the server
// syncs always: sync_interval: always in the jetstream block of its
// configuration; package broker sets it.
//
// # Permissions
//
// A service named S needs these, and no more; a test runs one with them:
//
//	publish:
//	  saga.run.*.*.outcome.S.>
//	  $JS.API.STREAM.INFO.SAGA_RUNS
//	  $JS.API.CONSUMER.INFO.SAGA_RUNS.S
//	  $JS.API.CONSUMER.MSG.NEXT.SAGA_RUNS.S
//	  $JS.API.DIRECT.GET.SAGA_RUNS.saga.run.*.*.outcome.S.>
//	  $JS.ACK.SAGA_RUNS.S.>
//	  $JS.ACK.*.*.SAGA_RUNS.S.>
//	  $JS.API.STREAM.INFO.OBJ_SAGA_DATA           and the same five for
//	  $JS.API.STREAM.MSG.GET.OBJ_SAGA_DATA        OBJ_SAGA_DOCUMENTS and
//	  $JS.API.DIRECT.GET.OBJ_SAGA_DATA            $O.SAGA_DOCUMENTS.> if
//	  $JS.API.STREAM.PURGE.OBJ_SAGA_DATA          it handles documents
//	  $O.SAGA_DATA.>                              and the first three for OBJ_SAGA_SCHEMAS
//	subscribe:                                    if it looks up schemas
//	  _INBOX_S.>      with ConnectOptions.InboxPrefix "_INBOX_S", or _INBOX.>
//
// Its consumer must exist then: the orchestrator declares those of the services
// its definitions name. The direct get is of its own outcomes, to see whether a
// command that comes again has been answered. Who starts runs needs to publish
// saga.start.<definition> and to read its inbox. Who looks at runs (Follow, Load)
// needs to read the streams; only an orchestrator may purge. Package access has
// the permissions of everybody, and the reason why the streams belong into an
// account of their own.
//
// A permission that is missing is fatal, see Options.Fatal: the broker does not
// answer a denied request, it only notes it on the connection.
package jetstream
