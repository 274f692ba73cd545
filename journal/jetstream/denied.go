package jetstream

import (
	"errors"
	"fmt"
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
	// The server writes: Permissions Violation for Publish to "subject"
	_, what, found := strings.Cut(err.Error(), "Violation for ")
	if !found {
		what = err.Error()
	}
	denied := fmt.Errorf("%w: %s: grant it to this program's user (the documentation of package journal/jetstream lists what each program needs)", ErrDenied, what)
	j.end(denied)
	go j.opts.Fatal(denied)
}
