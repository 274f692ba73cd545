package journal_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"segue/journal"
	"segue/journal/memory"
)

// elsewhere is a journal whose time is ahead of the local clock.
type elsewhere struct {
	journal.Journal
	ahead time.Duration
	err   error
}

func (e *elsewhere) Info(context.Context) (journal.Info, error) {
	return journal.Info{Partitions: 1, Now: time.Now().Add(e.ahead).Round(0)}, e.err
}

func TestClockTellsTheJournalsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, ahead := range []time.Duration{0, time.Hour, -time.Hour} {
			clock, err := journal.NewClock(t.Context(), &elsewhere{ahead: ahead})
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if got, want := clock.Now(), time.Now().Add(ahead); !got.Equal(want) {
					t.Errorf("with a journal %v ahead the clock tells %v, want %v", ahead, got, want)
				}
				<-time.After(time.Minute)
			}
		}
	})
}

func TestClockIsNeverAhead(t *testing.T) {
	t.Parallel()
	const latency = 20 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		j := memory.New(memory.Config{Latency: latency})
		defer j.Close()
		clock, err := journal.NewClock(t.Context(), j)
		if err != nil {
			t.Fatal(err)
		}
		for range 50 {
			if behind := time.Since(clock.Now()); behind < 0 || behind > latency {
				t.Errorf("the clock is %v behind the journal, want 0 to %v", behind, latency)
			}
			if err := clock.Sync(t.Context(), j); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestClockSaw(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		clock, err := journal.NewClock(t.Context(), &elsewhere{})
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Second)
		now := clock.Now()
		clock.Saw(now.Add(-time.Millisecond))
		if got := clock.Now(); !got.Equal(now) {
			t.Errorf("an old stamp moved the clock from %v to %v", now, got)
		}
		clock.Saw(now.Add(time.Minute)) // the local clock runs slow
		<-time.After(time.Second)
		if got, want := clock.Now(), now.Add(time.Minute+time.Second); !got.Equal(want) {
			t.Errorf("after a newer stamp the clock tells %v, want %v", got, want)
		}
	})
}

func TestClockErrors(t *testing.T) {
	t.Parallel()
	away := errors.New("the broker is away")
	if _, err := journal.NewClock(t.Context(), &elsewhere{err: away}); !errors.Is(err, away) {
		t.Errorf("new clock: %v, want %v", err, away)
	}
	clock, err := journal.NewClock(t.Context(), &elsewhere{ahead: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	before := clock.Now()
	if err := clock.Sync(t.Context(), &elsewhere{err: away}); !errors.Is(err, away) {
		t.Errorf("sync: %v, want %v", err, away)
	}
	if after := clock.Now(); after.Before(before) || after.After(before.Add(time.Minute)) {
		t.Errorf("a failed sync moved the clock from %v to %v", before, after)
	}
}

func TestClockEpoch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		clock, err := journal.NewClock(t.Context(), &elsewhere{ahead: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		first := clock.Epoch()
		<-time.After(journal.LongSilence)
		if got := clock.Epoch(); got != first {
			t.Errorf("epoch %d after a silence that is not long, want %d", got, first)
		}
		heard := clock.Now()
		<-time.After(time.Second)
		if got := clock.Epoch(); got != first+1 {
			t.Errorf("epoch %d in a long silence, want %d", got, first+1)
		}
		clock.Saw(heard.Add(-time.Second)) // read late
		if got := clock.Epoch(); got != first {
			t.Errorf("epoch %d when something was heard of just now, want %d", got, first)
		}
		<-time.After(2 * journal.LongSilence)
		clock.Saw(clock.Now())
		if got := clock.Epoch(); got != first+1 {
			t.Errorf("epoch %d when a long silence is over, want %d", got, first+1)
		}
	})
}
