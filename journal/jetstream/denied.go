package jetstream

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/nats-io/nats.go"
)

// ErrDenied is returned by every method once the broker has denied the journal's
// user something. Such a journal is of no more use: see Options.Fatal.
var ErrDenied = errors.New("the broker denies permission")

// watchDenials makes the journal end at the first permission violation. The
// broker tells of one on the connection only; the publish or request it is
// about just never gets an answer. Earlier handlers are called as before.
func (j *Journal) watchDenials() {
	earlier := j.nc.ErrorHandler()
	j.nc.SetErrorHandler(func(nc *nats.Conn, sub *nats.Subscription, err error) {
		if earlier != nil {
			earlier(nc, sub, err)
		}
		if errors.Is(err, nats.ErrPermissionViolation) && j.ctx.Err() == nil {
			j.deny(err)
		}
	})
}

func (j *Journal) deny(err error) {
	denied := fmt.Errorf("%w: %s", ErrDenied, explainDenial(err, identity(j.nc)))
	j.end(denied)
	go j.opts.Fatal(denied)
}

// explainDenial says what was denied to whom, and how to grant it. The server
// writes: Permissions Violation for Publish to "subject"
func explainDenial(err error, user string) string {
	_, what, found := strings.Cut(err.Error(), "Violation for ")
	if !found {
		what = err.Error()
	}
	grant := "add the subject to what this user may publish"
	if strings.HasPrefix(what, "Subscription") {
		grant = "answers come there: name the inbox that this user may subscribe to with --inbox-prefix (NATS_INBOX_PREFIX), such as _INBOX_operator"
	}
	return fmt.Sprintf("%s, for %s: %s; segue keys init gives each program of Segue what it needs, docs/permissions.md lists it", what, user, grant)
}

// identity says as whom a connection was made.
func identity(nc *nats.Conn) string {
	switch u, err := url.Parse(nc.ConnectedUrlRedacted()); {
	case nc.Opts.Nkey != "":
		return "the user with public key " + nc.Opts.Nkey
	case nc.Opts.User != "":
		return "user " + nc.Opts.User
	case err == nil && u.User.Username() != "":
		return "user " + u.User.Username()
	}
	return "this program's user"
}
