package daemon

import (
	"context"
	"log/slog"

	"github.com/nats-io/nats.go"

	"segue/broker"
	"segue/journal/jetstream"
)

// Examine looks at a broker and at what Segue keeps on it, as
// [jetstream.Examine] does, and then opens that as it is. The Bus is nil if it
// cannot be opened, which is a finding.
func Examine(ctx context.Context, c Connection, e jetstream.Examination) (jetstream.Examined, *Bus, error) {
	quiet := slog.New(slog.DiscardHandler) // what goes wrong becomes a finding
	return examine(ctx, e, quiet, func() (*nats.Conn, error) {
		return jetstream.Connect(ctx, c.options("segue-doctor", quiet))
	})
}

// ExamineEmbedded is [Examine] for a broker in this process.
func ExamineEmbedded(ctx context.Context, server *broker.Server, e jetstream.Examination) (jetstream.Examined, *Bus, error) {
	e.Embedded, e.Asleep = true, true
	return examine(ctx, e, slog.New(slog.DiscardHandler), func() (*nats.Conn, error) { return server.Connect() })
}

func examine(ctx context.Context, e jetstream.Examination, log *slog.Logger, connect func() (*nats.Conn, error)) (jetstream.Examined, *Bus, error) {
	nc, err := connect()
	if err != nil {
		return jetstream.Examined{Findings: []jetstream.Finding{{
			Severity: jetstream.Alarm, Subject: "broker", What: err.Error(), Do: "name the broker with --server or NATS_URL, and see that it runs",
		}}}, nil, nil
	}
	found, err := jetstream.Examine(ctx, nc, e)
	nc.Close()
	if err != nil || !found.Ready {
		return found, nil, err
	}
	// A connection of its own: the examiner's has seen denials.
	if nc, err = connect(); err == nil {
		var bus *Bus
		if bus, err = open(ctx, nc, log, BusOptions{}); err == nil {
			return found, bus, nil
		}
	}
	found.Findings = append(found.Findings, jetstream.Finding{
		Severity: jetstream.Warning, Subject: "runs", What: "they could not be looked at: " + err.Error(), Do: "look as a user who may",
	})
	return found, nil, ctx.Err()
}
