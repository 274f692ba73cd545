package jetstream

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"segue/document"
	"segue/events"
)

// orchestrators counts the members that are alive. Those that are alive share all
// partitions, so one is enough to cover them.
func (x *examiner) orchestrators(ctx context.Context) {
	if x.seen[membersStream] == nil {
		return
	}
	alive := 0
	err := x.ask(ctx, func(ctx context.Context) error {
		s, err := x.js.Stream(ctx, membersStream)
		if err != nil {
			return err
		}
		info, err := s.Info(ctx, jetstream.WithSubjectFilter(membersPrefix+"*"))
		if err != nil {
			return err
		}
		for subject := range info.State.Subjects {
			m, err := s.GetLastMsgForSubject(ctx, subject)
			switch {
			case errors.Is(err, jetstream.ErrMsgNotFound): // its time was up just now
			case err != nil:
				return err
			case m.Header.Get(kvOperation) == "":
				alive++
			}
		}
		return nil
	})
	switch {
	case err != nil:
		x.unseen("orchestrators", err)
		return
	case alive > 0:
		x.add(Fine, "orchestrators", "", "%d alive, and all partitions are shared among them", alive)
	case x.Asleep:
		x.add(Note, "orchestrators", "", "nothing runs on this data directory: what waits goes on with segue up")
	default:
		x.add(Alarm, "orchestrators", "start one, or segue up", "none is alive: runs stand still, starts wait")
	}
	x.result.Orchestrators = alive
}

// probe is a subject that an operator's command publishes to.
type probe struct {
	what, subject, payload string
}

// probeName stands where a name would: no run, saga or start is called that.
const probeName = "segue-doctor"

// probes are refused by the broker for what they say, if they are not denied:
// nothing is stored by them and nothing purged.
func probes() []probe {
	signal := events.RunSubject(events.KindSignal, probeName, 1)
	signal.Signal = events.SignalCancel
	rejected := events.Subject{Kind: events.KindRejected, Definition: probeName, Start: probeName}
	return []probe{
		{what: "start runs", subject: events.StartSubject(probeName).String()},
		{what: "cancel and retry runs", subject: signal.String()},
		{what: "apply definitions", subject: events.DefinitionSubject(probeName).String()},
		{what: "set schedules", subject: events.ScheduleSubject(probeName, probeName).String()},
		{what: "put large data aside", subject: "$O." + document.DataBucket + ".M." + probeName},
		{what: "retry rejected starts", subject: rejected.String()},
		{what: "retry rejected starts", subject: "$JS.API.STREAM.PURGE." + RejectedStream, payload: fmt.Sprintf(`{"filter":%q}`, rejected)},
	}
}

// permissions finds out what the present user may do.
func (x *examiner) permissions(ctx context.Context) {
	var denied []string
	for _, p := range probes() {
		err := x.ask(ctx, func(ctx context.Context) error { return x.probe(ctx, p) })
		switch {
		case errors.Is(err, errDeniedHere):
			denied = append(denied, fmt.Sprintf("%s (publish %s)", p.what, p.subject))
		case err != nil && !errors.Is(err, nats.ErrNoResponders): // none: the stream is missing, which was said
			x.unseen("permission to "+p.what, err)
		}
	}
	if len(denied) > 0 {
		x.add(Note, "permissions", "grant it if this user ought to; deploy/nats-users.conf shows an operator's", "this user may not %s", strings.Join(denied, ", nor "))
		return
	}
	x.add(Fine, "permissions", "", "this user may start, cancel and retry runs, retry rejected starts, apply definitions and set schedules")
}

// probe asks for what is refused: a message for a stream of another name, or a
// purge of what is not there.
func (x *examiner) probe(ctx context.Context, p probe) error {
	m := nats.NewMsg(p.subject)
	m.Data = []byte(p.payload)
	if p.payload == "" {
		m.Header.Set(nats.ExpectedStreamHdr, probeName)
	}
	_, err := x.nc.RequestMsgWithContext(ctx, m)
	return err
}
