package jetstream_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"segue/broker"
	"segue/document"
	"segue/journal"
	"segue/journal/jetstream"
)

func config(t *testing.T, js natsjs.JetStream, stream string) natsjs.StreamConfig {
	t.Helper()
	s, err := js.Stream(t.Context(), stream)
	if err != nil {
		t.Fatalf("stream %s: %v", stream, err)
	}
	return s.CachedInfo().Config
}

func allConfigs(t *testing.T, js natsjs.JetStream) map[string]any {
	t.Helper()
	all := make(map[string]any)
	for info := range js.ListStreams(t.Context()).Info() {
		all[info.Config.Name] = info.Config
		s, err := js.Stream(t.Context(), info.Config.Name)
		if err != nil {
			t.Fatal(err)
		}
		for c := range s.ListConsumers(t.Context()).Info() {
			all[info.Config.Name+" "+c.Name] = c.Config
		}
	}
	return all
}

func bare(t *testing.T) natsjs.JetStream {
	t.Helper()
	nc := newRig(t, broker.Config{}).connect(t, jetstream.ConnectOptions{})
	js, err := natsjs.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func TestDeclareCreatesAll(t *testing.T) {
	t.Parallel()
	js := bare(t)
	o := jetstream.Options{Services: []string{"fetcher", "saver"}, Version: "v1.2.3"}
	if err := jetstream.Declare(t.Context(), js, o); err != nil {
		t.Fatal(err)
	}
	runs := config(t, js, jetstream.RunsStream)
	if runs.MaxMsgsPerSubject != 1 || runs.Discard != natsjs.DiscardNew || !runs.DiscardNewPerSubject ||
		runs.AllowRollup || runs.AllowMsgTTL || runs.AllowMsgCounter || runs.AllowMsgSchedules || runs.MaxAge != 0 ||
		runs.DenyDelete || runs.DenyPurge || !runs.AllowAtomicPublish || runs.MaxBytes <= 0 || runs.Storage != natsjs.FileStorage {
		t.Errorf("the journal is not written once, bounded and on disk: %+v", runs)
	}
	if runs.Metadata[jetstream.MetaPartitions] != "16" || runs.Metadata[jetstream.MetaVersion] != "v1.2.3" {
		t.Errorf("the journal's metadata is %v", runs.Metadata)
	}
	starts := config(t, js, jetstream.StartsStream)
	if starts.Retention != natsjs.WorkQueuePolicy || starts.Duplicates != jetstream.DuplicateWindow || starts.Discard != natsjs.DiscardNew || starts.MaxBytes <= 0 {
		t.Errorf("the starts are not a bounded work queue: %+v", starts)
	}
	if rejected := config(t, js, jetstream.RejectedStream); !rejected.DiscardNewPerSubject || rejected.MaxBytes <= 0 || rejected.MaxAge != 0 {
		t.Errorf("rejected starts are not kept, written once and bounded: %+v", rejected)
	}
	history := config(t, js, jetstream.HistoryStream)
	if history.Discard != natsjs.DiscardOld || history.MaxBytes != 512<<20 || history.MaxAge != 30*24*time.Hour || history.MaxMsgsPerSubject > 1 ||
		!history.AllowDirect || history.AllowRollup {
		t.Errorf("the history is not bounded, its oldest messages the first to go: %+v", history)
	}
	definitions := config(t, js, jetstream.DefinitionsStream)
	if definitions.Discard != natsjs.DiscardOld || definitions.MaxBytes != 64<<20 || definitions.MaxAge != 0 ||
		definitions.MaxMsgsPerSubject != jetstream.DefinitionsKept || definitions.DiscardNewPerSubject || !definitions.AllowDirect {
		t.Errorf("of the definitions not the newest stay: %+v", definitions)
	}
	schedules := config(t, js, jetstream.SchedulesStream)
	if schedules.Discard != natsjs.DiscardNew || schedules.MaxBytes != 16<<20 || schedules.MaxAge != 0 || schedules.MaxMsgsPerSubject != 1 ||
		schedules.DiscardNewPerSubject || !schedules.AllowDirect || schedules.AllowMsgSchedules {
		t.Errorf("of a schedule not the newest stays, or some leave: %+v", schedules)
	}
	kv, err := js.KeyValue(t.Context(), jetstream.MembersBucket)
	if err != nil {
		t.Fatalf("the members are no KV bucket: %v", err)
	}
	if status, err := kv.Status(t.Context()); err != nil || status.TTL() != journal.MemberTTL {
		t.Errorf("a member's key lives for %v, %v", status.TTL(), err)
	}
	hosts, err := js.KeyValue(t.Context(), jetstream.HostsBucket)
	if err != nil {
		t.Fatalf("the hosts are no KV bucket: %v", err)
	}
	if status, err := hosts.Status(t.Context()); err != nil || status.TTL() != 10*time.Minute || status.LimitMarkerTTL() != 0 {
		t.Errorf("a host's key lives for %v, %v", status.TTL(), err)
	}
	if c := config(t, js, "KV_"+jetstream.HostsBucket); c.MaxBytes <= 0 || c.Discard != natsjs.DiscardNew {
		t.Errorf("%s has no size limit", jetstream.HostsBucket)
	}
	for bucket, ttl := range map[string]time.Duration{document.DataBucket: 0, document.SchemasBucket: 0, document.DocumentsBucket: 24 * time.Hour} {
		o, err := js.ObjectStore(t.Context(), bucket)
		if err != nil {
			t.Errorf("%s is no object store: %v", bucket, err)
			continue
		}
		if status, err := o.Status(t.Context()); err != nil || status.TTL() != ttl {
			t.Errorf("an object of %s lives for %v, %v, want %v", bucket, status.TTL(), err, ttl)
		}
		if c := config(t, js, "OBJ_"+bucket); c.MaxBytes <= 0 {
			t.Errorf("%s has no size limit", bucket)
		}
	}
	for stream, names := range map[string][]string{jetstream.RunsStream: {"fetcher", "saver"}, jetstream.StartsStream: {jetstream.IntakeConsumer}} {
		for _, name := range names {
			c, err := js.Consumer(t.Context(), stream, name)
			if err != nil {
				t.Errorf("consumer %s of %s: %v", name, stream, err)
				continue
			}
			if cfg := c.CachedInfo().Config; cfg.AckWait != journal.Lease || cfg.MaxDeliver != -1 || cfg.AckPolicy != natsjs.AckExplicitPolicy || len(cfg.BackOff) != 0 {
				t.Errorf("consumer %s of %s is %+v", name, stream, cfg)
			}
		}
	}
}

func TestDeclareAgainChangesNothing(t *testing.T) {
	t.Parallel()
	js := bare(t)
	o := jetstream.Options{Services: []string{"fetcher"}, Version: "v1"}
	if err := jetstream.Declare(t.Context(), js, o); err != nil {
		t.Fatal(err)
	}
	before := allConfigs(t, js)
	o.Version = "v2" // another release that declares the same
	if err := jetstream.Declare(t.Context(), js, o); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, allConfigs(t, js)); diff != "" {
		t.Errorf("the second time changed something:\n%s", diff)
	}
}

func TestDeclareNeverShrinks(t *testing.T) {
	t.Parallel()
	js := bare(t)
	const mib = 1 << 20
	large := jetstream.Options{
		Services:    []string{"fetcher", "parser"},
		Sizes:       jetstream.Sizes{Runs: 20 * mib, Starts: 20 * mib, Rejected: 20 * mib, History: 20 * mib, Definitions: 20 * mib, Data: 20 * mib, Documents: 20 * mib},
		DocumentTTL: 48 * time.Hour,
		HistoryTTL:  60 * 24 * time.Hour,
	}
	if err := jetstream.Declare(t.Context(), js, large); err != nil {
		t.Fatal(err)
	}
	// What an operator has set by hand stays, too.
	runs := config(t, js, jetstream.RunsStream)
	runs.Metadata["team"] = "data"
	runs.MaxMsgSize = 999_999
	if _, err := js.UpdateStream(t.Context(), runs); err != nil {
		t.Fatal(err)
	}
	before := allConfigs(t, js)
	small := jetstream.Options{
		Services:    []string{"fetcher"},
		Sizes:       jetstream.Sizes{Runs: mib, Starts: mib, Rejected: mib, History: mib, Definitions: mib, Data: mib, Documents: mib},
		DocumentTTL: time.Minute,
		HistoryTTL:  time.Minute,
	}
	if err := jetstream.Declare(t.Context(), js, small); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, allConfigs(t, js)); diff != "" {
		t.Errorf("less was declared, and taken away:\n%s", diff)
	}
	larger := large
	larger.Sizes.Runs = 40 * mib
	if err := jetstream.Declare(t.Context(), js, larger); err != nil {
		t.Fatal(err)
	}
	if c := config(t, js, jetstream.RunsStream); c.MaxBytes != 40*mib || c.Metadata["team"] != "data" {
		t.Errorf("the journal has %d bytes and metadata %v", c.MaxBytes, c.Metadata)
	}
}

func TestDeclareRepairs(t *testing.T) {
	t.Parallel()
	js := bare(t)
	// A journal that someone made by hand would let messages be replaced.
	_, err := js.CreateStream(t.Context(), natsjs.StreamConfig{
		Name: jetstream.RunsStream, Subjects: []string{"saga.run.>"}, AllowRollup: true, MaxBytes: 1 << 20,
		Metadata: map[string]string{jetstream.MetaPartitions: "4"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := jetstream.Declare(t.Context(), js, jetstream.Options{}); err != nil {
		t.Fatal(err)
	}
	c := config(t, js, jetstream.RunsStream)
	if c.AllowRollup || !c.DiscardNewPerSubject || c.MaxMsgsPerSubject != 1 || !c.AllowAtomicPublish || c.Metadata[jetstream.MetaPartitions] != "4" {
		t.Errorf("the journal is %+v", c)
	}
}

func TestPartitionsAreTheJournals(t *testing.T) {
	t.Parallel()
	r := newRig(t, broker.Config{})
	j, nc := r.open(t, jetstream.Options{Partitions: 5})
	if info, err := j.Info(t.Context()); err != nil || info.Partitions != 5 {
		t.Fatalf("the journal has %d partitions, %v", info.Partitions, err)
	}
	other, err := jetstream.Open(t.Context(), nc, jetstream.Options{})
	if err != nil {
		t.Fatalf("open without a number: %v", err)
	}
	defer other.Close()
	if info, err := other.Info(t.Context()); err != nil || info.Partitions != 5 {
		t.Errorf("the journal has %d partitions, %v", info.Partitions, err)
	}
	_, err = jetstream.Open(t.Context(), nc, jetstream.Options{Partitions: 16})
	if !errors.Is(err, jetstream.ErrPartitions) || !strings.Contains(err.Error(), "5") {
		t.Errorf("error is %v, want ErrPartitions that names 5", err)
	}
}

func TestDeclareFromManyProcesses(t *testing.T) {
	t.Parallel()
	r := newRig(t, broker.Config{})
	var all sync.WaitGroup
	for range 6 {
		js, err := natsjs.New(r.connect(t, jetstream.ConnectOptions{}))
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			if err := jetstream.Declare(t.Context(), js, jetstream.Options{Services: []string{"a", "b"}}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestBadOptions(t *testing.T) {
	t.Parallel()
	js := bare(t)
	for _, o := range []jetstream.Options{
		{Partitions: -1}, {Partitions: 1001}, {Replicas: 6}, {Sizes: jetstream.Sizes{Data: -1}}, {Sizes: jetstream.Sizes{History: -1}}, {HistoryTTL: -1},
		{Lease: -1}, {Services: []string{"a.b"}}, {Services: []string{""}},
	} {
		if err := jetstream.Declare(t.Context(), js, o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
	if n := len(allConfigs(t, js)); n != 0 {
		t.Errorf("%d things were declared all the same", n)
	}
}

func TestNoRoom(t *testing.T) {
	t.Parallel()
	nc := newRig(t, broker.Config{MaxStore: 16 << 20}).connect(t, jetstream.ConnectOptions{})
	_, err := jetstream.Open(t.Context(), nc, jetstream.Options{})
	if err == nil || !strings.Contains(err.Error(), "max_file_store") {
		t.Errorf("error is %v, want one that says what to do", err)
	}
}

func TestBindWaitsForTheJournal(t *testing.T) {
	t.Parallel()
	r := newRig(t, broker.Config{})
	nc := r.connect(t, jetstream.ConnectOptions{})
	begin := time.Now()
	if _, err := jetstream.Bind(t.Context(), nc, jetstream.Options{}); !errors.Is(err, jetstream.ErrNoJournal) {
		t.Errorf("error is %v, want ErrNoJournal", err)
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("without Wait it took %v", took)
	}
	if _, err := jetstream.Bind(t.Context(), nc, jetstream.Options{Wait: 100 * time.Millisecond}); !errors.Is(err, jetstream.ErrNoJournal) {
		t.Errorf("error is %v, want ErrNoJournal", err)
	}
	bound := make(chan error, 1)
	go func() {
		j, err := jetstream.Bind(t.Context(), nc, jetstream.Options{Wait: time.Minute})
		if err == nil {
			j.Close()
		}
		bound <- err
	}()
	r.open(t, jetstream.Options{})
	if err := <-bound; err != nil {
		t.Errorf("bind: %v", err)
	}
}
