package jetstream_test

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"segue/events"
	"segue/journal"
	"segue/journal/jetstream"
)

// cluster is three servers that keep everything three times.
type cluster []*node

// node is one of them.
type node struct {
	*server.Server
	options *server.Options
}

func newCluster(t *testing.T) cluster {
	t.Helper()
	const size = 3
	routes := make([]*url.URL, size)
	for i := range routes {
		routes[i] = &url.URL{Scheme: "nats", Host: freeAddress(t)}
	}
	servers := make(cluster, size)
	for i := range servers {
		port := 0
		if _, err := fmt.Sscanf(routes[i].Port(), "%d", &port); err != nil {
			t.Fatal(err)
		}
		servers[i] = &node{options: &server.Options{
			ServerName: fmt.Sprint("n", i), Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true,
			JetStream: true, StoreDir: t.TempDir(), JetStreamMaxStore: 64 << 30, JetStreamMaxMemory: 64 << 20,
			Cluster: server.ClusterOpts{Name: "segue", Host: "127.0.0.1", Port: port}, Routes: routes,
		}}
		servers[i].start(t)
		t.Cleanup(servers[i].stop)
	}
	for _, s := range servers {
		if !s.ReadyForConnections(time.Minute) {
			t.Fatal("a server does not start")
		}
	}
	return servers
}

// start starts the server, for the first time or again.
func (n *node) start(t *testing.T) {
	t.Helper()
	var err error
	if n.Server, err = server.NewServer(n.options); err != nil {
		t.Fatal(err)
	}
	n.Start()
}

func (n *node) stop() {
	n.Shutdown()
	n.WaitForShutdown()
}

// freeAddress returns an address on which nobody listens at the moment.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (c cluster) url() string {
	var all []string
	for _, s := range c {
		all = append(all, s.ClientURL())
	}
	return strings.Join(all, ",")
}

// leader returns the server that leads the others, once all have met.
func (c cluster) leader(t *testing.T) *node {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	patience := within(t, time.Minute)
	for {
		for _, s := range c {
			if s.JetStreamIsLeader() && len(s.JetStreamClusterPeers()) == len(c) {
				return s
			}
		}
		select {
		case <-tick.C:
		case <-patience.Done():
			t.Fatal("no server leads the cluster")
		}
	}
}

// TestDeclareThroughLeaderChange declares everything on a cluster that loses its
// leader meanwhile. The server comes back: two alone place nothing that is to be kept
// three times.
func TestDeclareThroughLeaderChange(t *testing.T) {
	t.Parallel()
	servers := newCluster(t)
	nc, err := jetstream.Connect(t.Context(), jetstream.ConnectOptions{URL: servers.url(), Options: []nats.Option{nats.ReconnectWait(20 * time.Millisecond)}})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	leader := servers.leader(t)
	opened := make(chan *jetstream.Journal, 1)
	go func() {
		j, err := jetstream.Open(t.Context(), nc, jetstream.Options{Replicas: 3, Services: []string{"svc"}, Wait: time.Minute, Log: testLog(t)})
		if err != nil {
			t.Errorf("open: %v", err)
		}
		opened <- j
	}()
	leader.stop()
	leader.start(t)
	j := <-opened
	if j == nil {
		return
	}
	defer j.Close()
	m := events.Message{Subject: events.RunSubject(events.KindStarted, "a", journal.DefaultPartitions).String(), Data: []byte("a")}
	if err := j.Append(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	// A reader may be at a server that has not applied yet what the leader has acked: it
	// gets it when it is there.
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	feed, err := j.Follow(ctx, events.AllRuns, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer feed.Close()
	for {
		r, err := feed.Next(ctx)
		if err != nil {
			t.Fatalf("the journal does not hold what was acked: %v", err)
		}
		if r.Subject == m.Subject {
			return
		}
	}
}

// TestHistoryThroughLeaderChange lets several keep the same runs while the server
// that decides whose message is stored goes away. Each run must be kept once.
func TestHistoryThroughLeaderChange(t *testing.T) {
	t.Parallel()
	const writers, each, before = 4, 300, 60
	servers := newCluster(t)
	servers.leader(t)
	open := func() *jetstream.Journal {
		nc, err := jetstream.Connect(t.Context(), jetstream.ConnectOptions{URL: servers.url(), Options: []nats.Option{nats.ReconnectWait(20 * time.Millisecond)}})
		if err != nil {
			t.Fatal(err)
		}
		j, err := jetstream.Open(t.Context(), nc, jetstream.Options{Replicas: len(servers), Wait: time.Minute, Log: testLog(t)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { j.Close(); nc.Close() })
		return j
	}
	first := open()
	var all sync.WaitGroup
	halfway := make(chan struct{}, writers)
	for w := range writers {
		j := open()
		all.Go(func() {
			for i := range each {
				if i == before {
					halfway <- struct{}{}
				}
				s := events.HistorySubject("d", "completed", fmt.Sprint("run-", i))
				if err := j.Append(t.Context(), events.Message{Subject: s.String(), Data: fmt.Append(nil, w)}); err != nil {
					t.Errorf("writer %d: %v", w, err)
					return
				}
			}
		})
	}
	<-halfway
	for _, s := range servers {
		if s.JetStreamIsStreamLeader(server.DEFAULT_GLOBAL_ACCOUNT, jetstream.HistoryStream) {
			s.Shutdown()
			break
		}
	}
	all.Wait()
	seen := make(map[string]bool)
	records := load(t, first, events.AllHistory)
	for _, r := range records {
		seen[r.Subject] = true
	}
	if len(records) != each || len(seen) != each {
		t.Errorf("%d messages on %d subjects are kept of %d runs", len(records), len(seen), each)
	}
}

// TestAppendWithoutMajority appends to a subject to which another message is on its
// way while only the leader stands. Neither is stored, and if the leader goes away for
// good neither ever is: Append must not say that one is.
func TestAppendWithoutMajority(t *testing.T) {
	t.Parallel()
	servers := newCluster(t)
	servers.leader(t)
	setup, err := jetstream.Connect(t.Context(), jetstream.ConnectOptions{URL: servers.url()})
	if err != nil {
		t.Fatal(err)
	}
	defer setup.Close()
	j, err := jetstream.Open(t.Context(), setup, jetstream.Options{Replicas: len(servers), Wait: time.Minute, Log: testLog(t)})
	if err != nil {
		t.Fatal(err)
	}
	j.Close()
	led := func(s *node) bool {
		return s.JetStreamIsStreamLeader(server.DEFAULT_GLOBAL_ACCOUNT, jetstream.RunsStream)
	}
	leader := servers[slices.IndexFunc(servers, led)]
	nc, err := nats.Connect(leader.ClientURL(), nats.NoReconnect(), nats.IgnoreDiscoveredServers())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if j, err = jetstream.Bind(t.Context(), nc, jetstream.Options{Log: testLog(t)}); err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	for _, s := range servers {
		if s != leader {
			s.stop()
		}
	}
	m := command("lost", 1)
	if err := nc.Publish(m.Subject, m.Data); err != nil { // on its way, before what the journal sends on the same connection
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if err := j.Append(ctx, m); err == nil {
		t.Error("a message counts as stored that no majority has")
	}
	if !led(leader) {
		t.Error("the server gave up its lead before it was asked: the test has shown nothing")
	}
}
