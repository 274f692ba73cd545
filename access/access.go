// Package access says who may do what on the broker, and makes keys for them.
//
// [Identities] is the one list of permissions. The configuration that
// `segue keys init` writes and deploy/nats-users.conf are made of it, and
// docs/permissions.md shows what a test found each identity to be able to do.
//
// # Accounts
//
// A permission to publish says nothing about the subject that the answer goes to:
// who may publish saga.start.x could name a subject of the journal for the reply,
// and the broker would write its acknowledgement there. So the streams are in an
// account of their own, [StreamsAccount], and everybody but orchestrators and
// administrators is in [ClientsAccount], which imports the subjects of requests. In
// that account there are no streams: wherever an answer is sent, it is only an
// answer. What is not exported, such as creating and deleting streams, cannot be
// asked for from there at all.
//
// # Files
//
// [Init] writes
//
//	<dir>/broker/auth.conf      => accounts, public keys, permissions; for include in the broker's configuration
//	<dir>/broker/tls.conf       => its TLS, or nothing
//	<dir>/broker/server.{crt,key} => its certificate, with TLS
//	<dir>/broker/setup.json     => what later calls have to know: services of your own, TLS
//	<dir>/<identity>/user.nk    => its key, for NATS_NKEY
//	<dir>/postgres/password     => that of PostgreSQL, if the saver shares one
//	<dir>/saver/pgpass          => the same, for PGPASSFILE
//	<dir>/<identity>/ca.crt     => whom it trusts, for NATS_CA, with TLS
//	<dir>/<identity>/client.{crt,key} => its certificate, for NATS_CERT and NATS_KEY, with mutual TLS
//
// so that each identity's folder can be a volume which nobody else sees. It keeps the
// keys that are there.
package access

import (
	"fmt"
	"maps"
	"slices"

	"segue/events"
)

// Identity is a user of the broker: a program or a kind of people.
type Identity struct {
	Name string
	// About says in a sentence who that is.
	About string
	// Grants is what it may publish on, Denied what it may not for all that. It may
	// subscribe to its own inbox and nothing else.
	Grants, Denied []Grant
	// Inside says that it connects to the account that has the streams.
	Inside bool
}

// Grant is a group of subjects and what they are for.
type Grant struct {
	For      string
	Subjects []string
}

// InboxPrefix is where the identity's answers come, for NATS_INBOX_PREFIX.
func (i Identity) InboxPrefix() string { return "_INBOX_" + i.Name }

// Documents says how a service handles documents.
type Documents string

// What a service may do with documents.
const (
	NoDocuments    Documents = "none"
	ReadDocuments  Documents = "read"
	WriteDocuments Documents = "write" // and read, and remove
)

// Services are services of the user's own: what each does with documents.
type Services map[string]Documents

// maxServices bounds how many services of one's own there are.
const maxServices = 1000

// validate names what is wrong.
func (s Services) validate() error {
	if len(s) > maxServices {
		return fmt.Errorf("there are %d services of your own, at most %d are possible", len(s), maxServices)
	}
	taken := []string{catalog, brokerFolder}
	for _, i := range shipped() {
		taken = append(taken, i.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(s)) {
		switch d := s[name]; {
		case !events.ValidName(name):
			return fmt.Errorf("service name %q is not 1 to %d letters, digits, - and _", name, events.MaxToken)
		case slices.Contains(taken, name):
			return fmt.Errorf("service name %q is taken: Segue uses it itself", name)
		case d != NoDocuments && d != ReadDocuments && d != WriteDocuments:
			return fmt.Errorf("service %s: documents are %q, want %s, %s or %s", name, d, NoDocuments, ReadDocuments, WriteDocuments)
		}
	}
	return nil
}
