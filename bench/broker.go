package bench

import (
	"context"
	"log/slog"

	"github.com/nats-io/nats.go"

	"segue/broker"
	"segue/daemon"
)

// Dial makes a connection to the broker.
type Dial func(name string) (*nats.Conn, error)

// maxStore has room for what the streams of both movers reserve, in bytes.
const maxStore = 128 << 30

// Embedded starts a broker in this process that keeps its data in dir. It syncs what
// it acknowledges, or leaves that to the time. Connections are made by TCP or without.
func Embedded(dir string, always, loopback bool, log *slog.Logger) (Dial, func(), error) {
	cfg := broker.Config{Dir: dir, MaxStore: maxStore, SyncLater: !always, Log: log}
	if loopback {
		cfg.Listen = "127.0.0.1:0"
	}
	s, err := broker.Start(cfg)
	if err != nil {
		return nil, nil, err
	}
	return func(name string) (*nats.Conn, error) {
		if loopback {
			return nats.Connect(s.URL(), nats.Name(name))
		}
		return s.Connect(nats.Name(name))
	}, s.Shutdown, nil
}

// Elsewhere connects to a broker that runs already.
func Elsewhere(ctx context.Context, c daemon.Connection, log *slog.Logger) Dial {
	return func(name string) (*nats.Conn, error) { return daemon.Dial(ctx, c, name, log) }
}
