package access

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"segue/document"
	"segue/journal/jetstream"
)

// services are those whose commands and outcomes are tried, with the identity that
// is to have them.
var services = [][2]string{{"fetcher", "fetcher"}, {"validator", "validator"}, {"parser", "parser"}, {"saver", "saver"}, {"catalog", "saver"}, {"stock", "stock"}}

// everyone is what each identity is to be, in the order of the table.
var everyone = []string{"orchestrator", "fetcher", "validator", "parser", "saver", "stock", "caller", "operator", "observer", "admin"}

// Groups of identities.
const (
	workers = "fetcher validator parser saver stock"
	lookers = "operator observer"
	nobody  = ""
)

// probe is something that is tried, and who is to be able to. The administrator
// always is, but for what stands in subscriptions.
type probe struct {
	subject string
	who     string
}

// section is a part of the table.
type section struct {
	title     string
	subscribe bool
	probes    []probe
}

// expected is the matrix as it ought to be. It is written down here apart from
// grants.go, so that the one proves the other.
func expected() []section {
	return []section{
		{title: "Messages", probes: messages()},
		{title: "Queues", probes: queues()},
		{title: "Streams", probes: streams()},
		{title: "Buckets", probes: buckets()},
		{title: "Other subjects", probes: []probe{
			{"$JS.API.INFO", "operator"},
			{"$JS.API.STREAM.NAMES", nobody},
			{"$JS.API.STREAM.LIST", nobody},
			{"$JS.API.STREAM.CREATE.OTHER", nobody},
			{"$JS.API.STREAM.RESTORE.OTHER", nobody},
			{"$JS.API.STREAM.SNAPSHOT.SAGA_RUNS", nobody},
			{"$JS.API.STREAM.PEER.REMOVE.SAGA_RUNS", nobody},
			{"$JS.API.STREAM.LEADER.STEPDOWN.SAGA_RUNS", nobody},
			{"$SYS.REQ.SERVER.PING", nobody},
			{"$SYS.REQ.ACCOUNT.SEGUE.CONNZ", nobody},
			{"other.subject", nobody},
		}},
		{title: "Subscriptions", subscribe: true, probes: inboxes()},
	}
}

func messages() []probe {
	list := []probe{
		{"saga.start.ingest", "orchestrator caller operator"},
		{"saga.run.00.RUN.started", "orchestrator"},
	}
	for _, s := range services {
		list = append(list,
			probe{"saga.run.00.RUN.command." + s[0] + ".step.1", "orchestrator"},
			probe{"saga.run.00.RUN.command." + s[0] + ".step.u1", "orchestrator"},
			probe{"saga.run.00.RUN.outcome." + s[0] + ".step.1", "orchestrator " + s[1]},
			probe{"saga.run.00.RUN.outcome." + s[0] + ".step.u1", "orchestrator " + s[1]})
	}
	return append(list,
		probe{"saga.run.00.RUN.signal.cancel", "operator"},
		probe{"saga.run.00.RUN.signal.retry-1", "operator"},
		probe{"saga.run.00.RUN.signal.deadline", "orchestrator"},
		probe{"saga.run.00.RUN.ended", "orchestrator"},
		probe{"saga.rejected.ingest.ID", "orchestrator operator"},
		probe{"saga.history.ingest.completed.RUN", "orchestrator"},
		probe{"saga.definition.ingest", "operator"},
		probe{"saga.schedule.ingest.NAME", "operator"},
		probe{"$KV.SAGA_ORCHESTRATORS.ID", "orchestrator"},
		probe{"$KV.SAGA_HOSTS.HOST", "fetcher"},
		probe{"$O.SAGA_DATA.M.NAME", "orchestrator operator " + workers},
		probe{"$O.SAGA_DOCUMENTS.M.NAME", "fetcher parser"},
		probe{"$O.SAGA_SCHEMAS.M.NAME", "operator"})
}

func queues() (list []probe) {
	for _, s := range services {
		queue := jetstream.RunsStream + "." + s[0]
		list = append(list,
			probe{"$JS.API.CONSUMER.MSG.NEXT." + queue, "orchestrator " + s[1]}, // it reads with consumers of any name
			probe{"$JS.ACK." + queue + ".1.1.1.1.0", s[1]},
			probe{"$JS.ACK._.HASH." + queue + ".1.1.1.1.0", s[1]},
			probe{"$JS.API.CONSUMER.INFO." + queue, "orchestrator " + lookers + " " + s[1]},
			probe{"$JS.API.CONSUMER.CREATE." + queue, "orchestrator"},
			probe{"$JS.API.CONSUMER.CREATE." + queue + ".saga.run.*.*.command." + s[0] + ".>", "orchestrator"},
			probe{"$JS.API.CONSUMER.DURABLE.CREATE." + queue, nobody},
			probe{"$JS.API.CONSUMER.DELETE." + queue, "orchestrator"},
			probe{"$JS.API.CONSUMER.PAUSE." + queue, nobody},
			probe{"$JS.API.CONSUMER.UNPIN." + queue, nobody},
			probe{"$JS.API.DIRECT.GET.SAGA_RUNS.saga.run.00.RUN.outcome." + s[0] + ".step.1", "orchestrator " + lookers + " " + s[1]})
	}
	intake := "SAGA_STARTS.intake"
	return append(list,
		probe{"$JS.API.CONSUMER.MSG.NEXT." + intake, "orchestrator"},
		probe{"$JS.ACK." + intake + ".1.1.1.1.0", "orchestrator"},
		probe{"$JS.ACK._.HASH." + intake + ".1.1.1.1.0", "orchestrator"},
		probe{"$JS.API.CONSUMER.INFO." + intake, "orchestrator operator"},
		probe{"$JS.API.CONSUMER.CREATE." + intake + ".saga.start.*", "orchestrator"},
		probe{"$JS.API.CONSUMER.CREATE.SAGA_STARTS.NAME", nobody},
		probe{"$JS.API.CONSUMER.DELETE." + intake, nobody})
}

// streams is what is done with whole streams; a bucket is one.
func streams() (list []probe) {
	const (
		runs    = "SAGA_RUNS SAGA_HISTORY SAGA_REJECTED SAGA_DEFINITIONS SAGA_SCHEDULES" // which are read
		members = "KV_SAGA_ORCHESTRATORS"
	)
	read := func(stream, more string) string {
		switch {
		case strings.Contains(runs, stream):
			return "orchestrator " + lookers + " " + more
		case stream == members:
			return "orchestrator " + more
		}
		return more
	}
	info := map[string]string{
		"SAGA_RUNS": "orchestrator " + lookers + " " + workers, "SAGA_STARTS": "orchestrator operator", members: "orchestrator operator",
		"SAGA_HISTORY": "orchestrator " + lookers, "SAGA_REJECTED": "orchestrator " + lookers, "SAGA_DEFINITIONS": "orchestrator " + lookers,
		"SAGA_SCHEDULES": "orchestrator " + lookers,
		"KV_SAGA_HOSTS":  "orchestrator operator fetcher", "OBJ_SAGA_DATA": "orchestrator " + lookers + " " + workers,
		"OBJ_SAGA_DOCUMENTS": "orchestrator fetcher validator parser saver " + lookers, "OBJ_SAGA_SCHEMAS": "orchestrator validator parser operator",
	}
	get := map[string]string{
		"SAGA_RUNS": "orchestrator", "OBJ_SAGA_DATA": "orchestrator " + lookers + " " + workers,
		"OBJ_SAGA_DOCUMENTS": "fetcher validator parser saver", "OBJ_SAGA_SCHEMAS": "validator parser operator",
	}
	purge := map[string]string{
		"SAGA_RUNS": "orchestrator", "SAGA_REJECTED": "operator", "OBJ_SAGA_DATA": "orchestrator operator " + workers,
		"OBJ_SAGA_DOCUMENTS": "fetcher parser", "OBJ_SAGA_SCHEMAS": "operator",
	}
	remove := map[string]string{"SAGA_RUNS": "orchestrator"}
	lists := map[string]string{"SAGA_RUNS": "operator"}
	direct := map[string]string{members: "operator", "KV_SAGA_HOSTS": "fetcher"}
	for _, stream := range declared {
		bucket := get[stream]
		if stream == "SAGA_RUNS" {
			bucket = nobody // MSG.GET there is for another reason
		}
		list = append(list,
			probe{"$JS.API.STREAM.INFO." + stream, info[stream]},
			probe{"$JS.API.STREAM.CREATE." + stream, "orchestrator"},
			probe{"$JS.API.STREAM.UPDATE." + stream, "orchestrator"},
			probe{"$JS.API.STREAM.DELETE." + stream, nobody},
			probe{"$JS.API.STREAM.PURGE." + stream, purge[stream]},
			probe{"$JS.API.STREAM.MSG.DELETE." + stream, remove[stream]},
			probe{"$JS.API.STREAM.MSG.GET." + stream, get[stream]},
			probe{"$JS.API.DIRECT.GET." + stream, read(stream, bucket)},
			probe{"$JS.API.DIRECT.GET." + stream + ".SUBJECT", read(stream, direct[stream])},
			probe{"$JS.API.CONSUMER.CREATE." + stream, nobody},
			probe{"$JS.API.CONSUMER.CREATE." + stream + ".NAME", read(stream, nobody)},
			probe{"$JS.API.CONSUMER.CREATE." + stream + ".NAME.SUBJECT", read(stream, nobody)},
			probe{"$JS.API.CONSUMER.DURABLE.CREATE." + stream + ".NAME", nobody},
			probe{"$JS.API.CONSUMER.INFO." + stream + ".NAME", read(stream, nobody)},
			probe{"$JS.API.CONSUMER.DELETE." + stream + ".NAME", read(stream, nobody)},
			probe{"$JS.API.CONSUMER.MSG.NEXT." + stream + ".NAME", read(stream, nobody)},
			probe{"$JS.API.CONSUMER.LIST." + stream, lists[stream]},
			probe{"$JS.API.CONSUMER.NAMES." + stream, nobody})
	}
	return list
}

func buckets() []probe {
	var list []probe
	for bucket, who := range map[string]string{
		document.DataBucket: "orchestrator operator " + workers, document.DocumentsBucket: "fetcher parser", document.SchemasBucket: "operator",
	} {
		list = append(list, probe{"$O." + bucket + ".C.NUID", who})
	}
	slices.SortFunc(list, func(a, b probe) int { return strings.Compare(a.subject, b.subject) })
	return append(list,
		probe{snapshot("0"), "orchestrator"}, // an object by the name of snapshot/0
		probe{snapshot("15"), "orchestrator"},
		probe{snapshot("schedules"), "orchestrator"},
		probe{"$KV.OTHER.a", nobody},
		probe{"$O.OTHER.C.NUID", nobody},
		probe{"$JS.API.STREAM.INFO.KV_OTHER", nobody},
		probe{"$JS.API.DIRECT.GET.OBJ_OTHER", nobody})
}

func inboxes() []probe {
	list := []probe{
		{">", nobody}, {"saga.>", nobody}, {"saga.run.>", nobody}, {"saga.start.*", nobody}, {"_INBOX.>", nobody}, {"_INBOX.a", nobody}, {"*.>", nobody},
		{"$SYS.>", nobody}, {"$JS.>", nobody}, {"$JS.EVENT.>", nobody}, {"$KV.>", nobody}, {"$O.>", nobody}, {"_R_.>", nobody},
	}
	for _, name := range everyone {
		list = append(list, probe{"_INBOX_" + name + ".>", name})
	}
	return list
}

// TestMatrix tries everything as everybody, on a broker with the generated
// configuration. The table it prints is what was found; docs/permissions.md has it.
func TestMatrix(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if names := strings.Split(names(r.identities), ", "); !sameSet(names, everyone) {
		t.Fatalf("there are %v, and %v are tried", names, everyone)
	}
	connections := make(map[string]*nats.Conn)
	for _, name := range everyone {
		connections[name] = r.connect(t, name)
	}
	var table strings.Builder
	tried := 0
	for _, s := range expected() {
		fmt.Fprintf(&table, "## %s\n\n| | %s |\n|---|%s\n", s.title, strings.Join(everyone, " | "), strings.Repeat(":-:|", len(everyone)))
		for _, p := range s.probes {
			fmt.Fprintf(&table, "| `%s` |", p.subject)
			for _, name := range everyone {
				may, err := try(connections[name], p.subject, s.subscribe, name != "admin" && answered(p.subject))
				if err != nil {
					t.Fatalf("%s on %s: %v", name, p.subject, err)
				}
				want := slices.Contains(strings.Fields(p.who), name) || name == "admin" && !s.subscribe
				if may != want {
					t.Errorf("%s may use %s: %t, want %t", name, p.subject, may, want)
				}
				tried++
				table.WriteString(map[bool]string{true: " ✔ |", false: " |"}[may])
			}
			table.WriteString("\n")
		}
		table.WriteString("\n")
	}
	t.Logf("%d combinations were tried:\n%s", tried, table.String())
	same(t, "../docs/permissions.md", permissionsHead+strings.TrimRight(table.String(), "\n")+"\n")
}

// try says whether a connection may publish on a subject, or subscribe. What it may
// publish has to get an answer, if that is asked for. Nothing is changed by it:
// messages are for a stream of another name, requests are no JSON.
func try(nc *nats.Conn, subject string, subscribe, answered bool) (bool, error) {
	if subscribe {
		sub, err := nc.SubscribeSync(subject)
		if err == nil {
			err = nc.FlushTimeout(patience)
		}
		if err == nil {
			err = sub.Unsubscribe()
		}
		return !denied(nc, subject), ignore(err, nats.ErrBadSubscription)
	}
	m := nats.NewMsg(subject)
	m.Header.Set(nats.ExpectedStreamHdr, "NO_STREAM")
	m.Data = []byte("{")
	if strings.HasPrefix(subject, "$JS.ACK.") { // has no answer
		m.Header, m.Data = nil, []byte("+WPI")
	}
	inbox := nc.NewInbox()
	answers, err := nc.SubscribeSync(inbox)
	if err != nil {
		return false, err
	}
	defer func() { _ = answers.Unsubscribe() }() // fails only when the connection is closed
	m.Reply = inbox
	if err := errors.Join(nc.PublishMsg(m), nc.FlushTimeout(patience)); err != nil {
		return false, err
	}
	if denied(nc, subject) {
		return false, nil
	}
	if !answered {
		return true, nil
	}
	answer, err := answers.NextMsg(patience)
	if errors.Is(err, nats.ErrNoResponders) && strings.HasPrefix(subject, "$JS.API.CONSUMER.MSG.NEXT.") {
		return true, nil // that consumer is not there
	}
	if err != nil {
		return false, fmt.Errorf("allowed, but: %w", err)
	}
	if bytes.Contains(answer.Data, []byte(`"seq":`)) && !bytes.Contains(answer.Data, []byte(`"error":`)) {
		return true, fmt.Errorf("the probe was stored: %s", answer.Data)
	}
	return true, nil
}

// answered says whether someone is there to answer: an acknowledgement of nothing
// is passed over.
func answered(subject string) bool { return !strings.HasPrefix(subject, "$JS.ACK.") }

// denied says whether the broker has just denied a subject. It says so before it
// answers the flush.
func denied(nc *nats.Conn, subject string) bool {
	err := nc.LastError()
	return errors.Is(err, nats.ErrPermissionViolation) && strings.Contains(err.Error(), `"`+subject+`"`)
}

func ignore(err, harmless error) error {
	if errors.Is(err, harmless) {
		return nil
	}
	return err
}

func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}

// same holds that a file of the repository says what it should.
func same(t *testing.T, file, want string) {
	t.Helper()
	have, err := os.ReadFile(file)
	if err == nil && string(have) == want {
		return
	}
	if !*update {
		t.Errorf("%s is not in step (%v): go test ./access -update writes it anew", file, err)
		return
	}
	if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

const permissionsHead = `# Who may do what

What each identity that ` + "`segue keys init`" + ` makes was found to be able to do: a test connects as each of them to a broker
with the generated configuration and tries every line. It fails where that is not what was expected.

<!-- go test ./access -update -->

Names in capitals stand for any name; ` + "`stock`" + ` is a service of one's own. The columns orchestrator and admin belong to the
account that has the streams, all others to one that may send it requests; see [security.md](security.md).

`
