package jetstream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Severity says how bad a finding is.
type Severity string

// The severities, from fine to bad.
const (
	Fine    Severity = "ok"
	Note    Severity = "note"    // worth knowing, nothing to do at once
	Warning Severity = "warning" // something stands still or will
	Alarm   Severity = "alarm"   // a promise of Segue does not hold, or nothing works
)

// Bad says that somebody should do something.
func (s Severity) Bad() bool { return s == Warning || s == Alarm }

// Finding is one thing that was looked at.
type Finding struct {
	Severity Severity `json:"severity"`
	// Subject is what it is about, such as "broker" or "stream SAGA_RUNS".
	Subject string `json:"subject"`
	// What was found, Do what to do about it.
	What string `json:"what"`
	Do   string `json:"do,omitempty"`
}

// Examination says what to expect of a broker.
type Examination struct {
	// Services are those whose queues ought to exist. Others are found.
	Services []string
	// Embedded says that it is the broker of package broker, of which it is known
	// how it writes.
	Embedded bool
	// Asleep says that the broker is in this process and nothing works on it.
	Asleep bool
	// Now is the local time. Defaults to [time.Now].
	Now func() time.Time
}

// Examined is what was found.
type Examined struct {
	Findings []Finding
	// Orchestrators are those that are alive; -1 if it could not be seen.
	Orchestrators int
	// Starts is how many starts wait, Oldest when the first of them came.
	Starts uint64
	Oldest time.Time
	// Services are those that have a queue.
	Services []string
	// Ready says that the streams are there and can be read.
	Ready bool
}

const (
	// maxSkew is how far the clocks of broker and client may lie apart.
	maxSkew = 2 * time.Second
	// nearFull and veryFull are parts of a stream's limit, in percent.
	nearFull, veryFull = 80, 95
)

// Examine looks at what Segue keeps on a broker and how it does, and changes
// nothing. It takes over the error handler of the connection. What it may not
// look at is a finding as well. The error is that of ctx.
func Examine(ctx context.Context, nc *nats.Conn, e Examination) (Examined, error) {
	if e.Now == nil {
		e.Now = time.Now
	}
	x := &examiner{Examination: e, nc: nc, seen: make(map[string]*jetstream.StreamInfo)}
	x.result.Orchestrators = -1
	nc.SetErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { x.complain(err) })
	var err error
	if x.js, err = jetstream.New(nc); err != nil {
		return x.result, fmt.Errorf("examine broker: %w", err)
	}
	if x.broker(ctx) {
		x.streams(ctx)
		x.orchestrators(ctx)
		x.queues(ctx)
		x.permissions(ctx)
	}
	return x.result, ctx.Err()
}

// examiner looks at one thing after the other.
type examiner struct {
	Examination
	nc     *nats.Conn
	js     jetstream.JetStream
	seen   map[string]*jetstream.StreamInfo
	result Examined

	mu     sync.Mutex
	denied string             // what the broker denied last
	cancel context.CancelFunc // of the request that is under way
}

func (x *examiner) add(s Severity, subject, do, format string, args ...any) {
	x.result.Findings = append(x.result.Findings, Finding{Severity: s, Subject: subject, What: fmt.Sprintf(format, args...), Do: do})
}

// complain takes what the broker says on the connection; a denied request gets
// no other answer.
func (x *examiner) complain(err error) {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	_, what, _ := strings.Cut(err.Error(), "Violation for ")
	x.denied = cmp.Or(what, err.Error())
	if x.cancel != nil {
		x.cancel()
	}
}

// errDeniedHere is the error of a request that the broker denied.
var errDeniedHere = errors.New("the broker denies permission")

// ask makes requests, which end at once if they are denied.
func (x *examiner) ask(ctx context.Context, request func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	x.mu.Lock()
	x.denied, x.cancel = "", cancel
	x.mu.Unlock()
	err := request(ctx)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.cancel = nil
	if err != nil && x.denied != "" {
		return fmt.Errorf("%w: %s", errDeniedHere, x.denied)
	}
	return err
}

// unseen notes that something could not be looked at.
func (x *examiner) unseen(subject string, err error) {
	do := "see that the broker answers"
	if errors.Is(err, errDeniedHere) {
		do = "look as a user who may, such as the operator of deploy/nats-users.conf"
	}
	x.add(Warning, subject, do, "it could not be looked at: %v", err)
}

// broker looks at the server and says whether there is any use in going on.
func (x *examiner) broker(ctx context.Context) bool {
	if err := checkServer(x.nc); err != nil {
		x.add(Alarm, "broker", fmt.Sprintf("install nats-server %d.%d or newer", minServerMajor, minServerMinor), "%v", err)
		return false
	}
	where, cluster := "at "+x.nc.ConnectedUrlRedacted(), ""
	if x.Asleep {
		where = "in this process"
	}
	if name := x.nc.ConnectedClusterName(); name != "" {
		cluster = ", cluster " + name
	}
	x.add(Fine, "broker", "", "nats-server %s %s%s", x.nc.ConnectedServerVersion(), where, cluster)
	var account *jetstream.AccountInfo
	err := x.ask(ctx, func(ctx context.Context) (err error) {
		account, err = x.js.AccountInfo(ctx)
		return err
	})
	switch {
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		x.add(Alarm, "broker", "start it with -js, or with a jetstream block in its configuration", "JetStream is off")
		return false
	case errors.Is(err, errDeniedHere):
		x.add(Note, "storage", "", "how much the account may store could not be seen: %v", err)
	case err != nil:
		x.unseen("storage", err)
	default:
		x.storage(account)
	}
	if x.Embedded {
		x.add(Fine, "durability", "", "what is acknowledged is on disk: the broker of segue syncs always")
	} else {
		x.add(Note, "durability", "see that its configuration says sync_interval: always in the jetstream block; /varz of its monitoring port tells",
			"whether the broker syncs before it acknowledges cannot be seen over NATS")
	}
	return true
}

// storage looks at what the account may store.
func (x *examiner) storage(a *jetstream.AccountInfo) {
	limit := a.Limits.MaxStore
	if limit <= 0 {
		x.add(Fine, "storage", "", "%s used, %s reserved by streams, the account has no limit of its own", size(a.Store), size(a.ReservedStore))
		return
	}
	s, do := fullness(a.Store, uint64(limit)), ""
	if s.Bad() {
		do = "raise the account's limit, or let streams keep less"
	}
	x.add(s, "storage", do, "%s of %s used, %s reserved by streams", size(a.Store), size(uint64(limit)), size(a.ReservedStore))
}

// fullness says how bad it is that so much of a limit is used.
func fullness(used, limit uint64) Severity {
	switch percent := used * 100 / max(limit, 1); {
	case percent >= veryFull:
		return Alarm
	case percent >= nearFull:
		return Warning
	}
	return Fine
}

// size writes a number of bytes for people.
func size(n uint64) string {
	value, unit := float64(n), "B"
	for _, larger := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if value < 1024 {
			break
		}
		value, unit = value/1024, larger
	}
	if unit == "B" {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", value, unit)
}
