package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"

	"segue/broker"
	"segue/document"
	"segue/document/objectstore"
	"segue/events"
	"segue/journal"
	"segue/journal/jetstream"
)

// Bus is the broker with all that Segue keeps on it.
type Bus struct {
	Journal *jetstream.Journal
	// Data holds event data and definitions, Documents what steps make.
	Data      document.Store
	Documents document.Store
	// Conn is the connection, for what a program keeps on the broker beside that.
	Conn *nats.Conn

	close func()
}

// Close ends the connection.
func (b *Bus) Close() { b.close() }

// Schemas opens the store of the schemas that are registered.
func (b *Bus) Schemas(ctx context.Context) (*objectstore.Store, error) {
	return objectstore.Open(ctx, b.Conn, document.SchemasBucket)
}

// Objects opens any object store of the broker, such as one that documents are
// fetched from.
func (b *Bus) Objects(ctx context.Context, bucket string) (document.Store, error) {
	return objectstore.Open(ctx, b.Conn, bucket)
}

// Ready says whether the broker answers and has the journal.
func (b *Bus) Ready(ctx context.Context) error {
	if !b.Conn.IsConnected() {
		return errors.New("broker: there is no connection")
	}
	if _, err := b.Journal.Info(ctx); err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	return nil
}

// Open decodes a record and fetches the data it refers to. An event that cannot
// be read, or whose data is gone, is returned without its attributes: it holds
// its place.
func (b *Bus) Open(ctx context.Context, record journal.Record) (events.Entry, error) {
	entry, err := record.Entry()
	if err != nil {
		entry.Event = events.Event{}
		return entry, nil
	}
	event, err := document.CheckOut(ctx, b.Data, entry.Event)
	switch {
	case errors.Is(err, document.ErrNotFound), errors.Is(err, document.ErrChanged):
		entry.Event = events.Event{}
	case err != nil:
		return entry, err
	default:
		entry.Event = event
	}
	return entry, nil
}

// BusOptions says how a program uses the broker.
type BusOptions struct {
	// Name is what the broker calls the connection.
	Name string
	// Declare creates or updates all streams and buckets. Who may not do that binds
	// to what is there.
	Declare bool
	// Services are those whose queues are to exist; only with Declare.
	Services []string
	// Replicas is how many servers of a cluster keep each stream; only with Declare.
	// Defaults to 1.
	Replicas int
	// Wait is how long to wait at first for the broker and, in a program that does
	// not declare, for one that does. Defaults to 0: not at all.
	Wait time.Duration
	// Lease is that of the queues that are declared. Defaults to [journal.Lease].
	Lease time.Duration
	// Fatal is called when the broker has become of no use for good.
	Fatal func(error)
}

// options are those of a connection of the given name.
func (c Connection) options(name string, log *slog.Logger) jetstream.ConnectOptions {
	return jetstream.ConnectOptions{
		URL: c.Server, Creds: c.Creds, NKey: c.NKey, CA: c.CA, Cert: c.Cert, Key: c.Key, InboxPrefix: c.InboxPrefix, Name: name, Log: log,
	}
}

// Dial connects to a broker and no more.
func Dial(ctx context.Context, c Connection, name string, log *slog.Logger) (*nats.Conn, error) {
	return jetstream.Connect(ctx, c.options(name, log))
}

// Connect connects to a broker and opens what Segue keeps on it.
func Connect(ctx context.Context, c Connection, log *slog.Logger, o BusOptions) (*Bus, error) {
	options := c.options(o.Name, log)
	options.Wait = o.Wait
	nc, err := jetstream.Connect(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("%w (--server, NATS_URL)", err)
	}
	o.Lease = c.Lease
	return open(ctx, nc, log, o)
}

// Embedded opens what Segue keeps on a broker in this process; lease is that of
// its queues, 0 the usual one.
func Embedded(ctx context.Context, server *broker.Server, log *slog.Logger, services []string, lease time.Duration) (*Bus, error) {
	nc, err := server.Connect()
	if err != nil {
		return nil, fmt.Errorf("connect to the broker in this process: %w", err)
	}
	return open(ctx, nc, log, BusOptions{Declare: true, Services: services, Lease: lease})
}

// open opens journal and stores; it takes over the connection.
func open(ctx context.Context, nc *nats.Conn, log *slog.Logger, o BusOptions) (*Bus, error) {
	options := jetstream.Options{Services: o.Services, Replicas: o.Replicas, Wait: o.Wait, Lease: o.Lease, Log: log, Fatal: o.Fatal, Version: Version()}
	how := jetstream.Bind
	if o.Declare {
		how = jetstream.Open
	}
	j, err := how(ctx, nc, options)
	if err != nil {
		nc.Close()
		return nil, err
	}
	bus := &Bus{Journal: j, Conn: nc, close: func() { j.Close(); nc.Close() }}
	if bus.Data, err = objectstore.Open(ctx, nc, document.DataBucket); err == nil {
		bus.Documents, err = objectstore.Open(ctx, nc, document.DocumentsBucket)
	}
	if err != nil {
		bus.Close()
		return nil, err
	}
	return bus, nil
}
