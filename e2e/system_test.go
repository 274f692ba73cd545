//go:build unix

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"segue/events"
	"segue/journal"
)

// up is a running "segue up".
type up struct {
	*process
	dir string // of data
	url string // of the broker
}

// startUp starts "segue up" on a data directory, at a free port.
func startUp(t *testing.T, dir string, args ...string) *up {
	t.Helper()
	args = append([]string{"up", "--listen", "127.0.0.1:0", "--data-dir", dir}, args...)
	p := job{dir: t.TempDir()}.start(t, program(t, "segue"), args...)
	return &up{process: p, dir: dir, url: p.logged("segue is up")["broker"].(string)}
}

// segue runs a segue command on the data directory.
func (u *up) segue(args ...string) result {
	u.t.Helper()
	return segue(u.t, u.dir, args...)
}

// database is where the rows are.
func (u *up) database() string { return filepath.Join(u.dir, "segue.db") }

// segue runs a segue command on a data directory.
func segue(t *testing.T, dir string, args ...string) result {
	t.Helper()
	return job{dir: t.TempDir(), env: []string{"SEGUE_DATA_DIR=" + dir}}.run(t, program(t, "segue"), args...)
}

// broker is a client of a broker, beside those under test.
type broker struct {
	t  *testing.T
	js jetstream.JetStream
}

// client connects to a broker, as often as it takes.
func client(t *testing.T, url string) *broker {
	t.Helper()
	nc, err := nats.Connect(url, nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond), nats.RetryOnFailedConnect(true))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return &broker{t, js}
}

// stream returns a stream as it is now.
func (b *broker) stream(name string) (jetstream.Stream, *jetstream.StreamInfo, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	s, err := b.js.Stream(ctx, name)
	if err != nil {
		return nil, nil, fmt.Errorf("look at stream %s: %w", name, err)
	}
	return s, s.CachedInfo(), nil
}

// source is that of what the tests publish themselves.
const source = "/e2e"

// publish publishes a message and waits until the broker has it.
func (b *broker) publish(m events.Message) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := b.js.PublishMsg(ctx, &nats.Msg{Subject: m.Subject, Header: nats.Header(m.Header), Data: m.Data}); err != nil {
		b.t.Fatalf("publish on %s: %v", m.Subject, err)
	}
}

// messages returns what a stream holds on subjects that match a filter.
func (b *broker) messages(stream, filter string) []journal.Record {
	b.t.Helper()
	s, _, err := b.stream(stream)
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	consumer, err := s.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{FilterSubjects: []string{filter}})
	if err != nil {
		b.t.Fatalf("read stream %s: %v", stream, err)
	}
	found, err := consumer.Info(ctx)
	if err != nil {
		b.t.Fatalf("read stream %s: %v", stream, err)
	}
	if found.NumPending == 0 {
		return nil
	}
	batch, err := consumer.Fetch(int(found.NumPending), jetstream.FetchMaxWait(patience))
	if err != nil {
		b.t.Fatalf("read stream %s: %v", stream, err)
	}
	var all []journal.Record
	for m := range batch.Messages() {
		meta, err := m.Metadata()
		if err != nil {
			b.t.Fatal(err)
		}
		all = append(all, journal.Record{
			Message:  events.Message{Subject: m.Subject(), Header: events.Header(m.Headers()), Data: m.Data()},
			Sequence: meta.Sequence.Stream, Stored: meta.Timestamp,
		})
	}
	if err := batch.Error(); err != nil || uint64(len(all)) < found.NumPending {
		b.t.Fatalf("read stream %s: %d of %d messages, %v", stream, len(all), found.NumPending, err)
	}
	return all
}

// run returns the events of a run, in order.
func (b *broker) run(id string) []events.Entry {
	b.t.Helper()
	return entries(b.t, b.messages("SAGA_RUNS", events.RunFilter(id)))
}

func entries(t *testing.T, records []journal.Record) []events.Entry {
	t.Helper()
	var all []events.Entry
	for _, r := range records {
		e, err := r.Entry()
		if err != nil {
			t.Errorf("message %d: %v", r.Sequence, err)
		}
		all = append(all, e)
	}
	return all
}

// has waits until a run has a message of a kind.
func (b *broker) has(run string, kind events.Kind) {
	b.t.Helper()
	b.stored(events.RunSubject(kind, run, journal.DefaultPartitions).String())
}

// stored waits until there is a message on a subject of the journal.
func (b *broker) stored(subject string) {
	b.t.Helper()
	eventually(b.t, patience, func() error {
		s, _, err := b.stream("SAGA_RUNS")
		if err != nil {
			return err
		}
		if _, err = s.GetLastMsgForSubject(context.Background(), subject); err != nil {
			return fmt.Errorf("no message on %s: %w", subject, err)
		}
		return nil
	})
}

// drained waits until no start and no command is left in any queue.
func (b *broker) drained(within time.Duration) {
	b.t.Helper()
	eventually(b.t, within, func() error {
		for _, name := range []string{"SAGA_STARTS", "SAGA_RUNS"} {
			s, info, err := b.stream(name)
			if err != nil {
				return err
			}
			if name == "SAGA_STARTS" && info.State.Msgs > 0 {
				return fmt.Errorf("%d starts are left", info.State.Msgs)
			}
			if err := queuesEmpty(s); err != nil {
				return err
			}
		}
		return nil
	})
}

func queuesEmpty(s jetstream.Stream) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	consumers := s.ListConsumers(ctx)
	for c := range consumers.Info() {
		if c.Config.Durable != "" && (c.NumPending > 0 || c.NumAckPending > 0) {
			return fmt.Errorf("queue %s: %d messages wait, %d are out", c.Name, c.NumPending, c.NumAckPending)
		}
	}
	return consumers.Err()
}

// site serves documents by path on a loopback address.
type site struct {
	*httptest.Server
	mu    sync.Mutex
	asked map[string]int // path => requests
}

// newSite starts a site; serve answers the nth request for a path, from 1.
func newSite(t *testing.T, serve func(w http.ResponseWriter, path string, nth int)) *site {
	s := &site{asked: make(map[string]int)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked[r.URL.Path]++
		n := s.asked[r.URL.Path]
		s.mu.Unlock()
		serve(w, r.URL.Path, n)
	}))
	t.Cleanup(s.Close)
	return s
}

// requests returns how often a path was asked for.
func (s *site) requests(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[path]
}
