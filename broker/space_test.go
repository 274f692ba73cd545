package broker

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// TestGuard lets a disk be nearly full, and have space again: publishers are told
// at once, and go on with nothing done in between.
func TestGuard(t *testing.T) {
	s, err := Start(Config{Dir: t.TempDir(), MinFree: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	nc, err := s.Connect(nats.NoCallbacksAfterClientClose())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}, MaxBytes: 1 << 20, Discard: jetstream.DiscardNew}); err != nil {
		t.Fatal(err)
	}
	publish := func() error {
		_, err := js.Publish(t.Context(), "s", []byte("x"))
		return err
	}
	g := &guard{account: s.nats.GlobalAccount(), dir: t.TempDir(), log: slog.New(slog.DiscardHandler)}
	if _, err := freeBytes(g.dir); errors.Is(err, errors.ErrUnsupported) {
		t.Skip("free space is not known on this system: NOT tested")
	}
	for range 3 {
		g.minFree = 1
		g.look()
		if err := publish(); err != nil {
			t.Fatalf("publish with space: %v", err)
		}
		g.minFree = 1 << 60
		g.look()
		g.look()
		const accountFull = 10002
		if api := new(jetstream.APIError); !errors.As(publish(), &api) || api.ErrorCode != accountFull {
			t.Fatalf("publish on a full disk: %v, want error code %d", publish(), accountFull)
		}
	}
}

// TestGuardOnStart publishes to a server whose disk was nearly full before.
func TestGuardOnStart(t *testing.T) {
	if _, err := freeBytes(t.TempDir()); errors.Is(err, errors.ErrUnsupported) {
		t.Skip("free space is not known on this system: NOT tested")
	}
	s, err := Start(Config{Dir: t.TempDir(), MinFree: 1 << 60})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	nc, err := s.Connect(nats.NoCallbacksAfterClientClose())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", MaxBytes: 1 << 20})
	if api := new(jetstream.APIError); !errors.As(err, &api) {
		t.Errorf("create stream on a full disk: %v, want a refusal", err)
	}
}
