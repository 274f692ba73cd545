package memory_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"segue/events"
	"segue/journal"
	"segue/journal/memory"
)

// within runs a test on a journal in virtual time.
func within(t *testing.T, c memory.Config, test func(t *testing.T, j *memory.Journal)) {
	t.Parallel()
	if c.Latency == 0 {
		c.Latency = time.Millisecond
	}
	synctest.Test(t, func(t *testing.T) { test(t, open(t, c)) })
}

func command(run string) events.Message {
	s := events.RunSubject(events.KindCommand, run, journal.DefaultPartitions)
	s.Service, s.Step, s.Attempt = "svc", "step", events.Attempt{N: 1}
	return named(s, run)
}

// stored says how many messages a journal holds.
func stored(t *testing.T, j journal.Journal) int {
	t.Helper()
	records, err := journal.Load(t.Context(), j, events.AllRuns)
	if err != nil {
		t.Fatal(err)
	}
	return len(records)
}

func take(t *testing.T, j journal.Journal) journal.Delivery {
	t.Helper()
	work, err := j.Consume(t.Context(), journal.Commands("svc", 1))
	if err != nil {
		t.Fatal(err)
	}
	d, err := work.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("the error is %v, want %v", err, want)
	}
}

func TestLostAppend(t *testing.T) {
	within(t, memory.Config{Faults: memory.Faults{LostAppend: 1}}, func(t *testing.T, j *memory.Journal) {
		began := time.Now()
		wantErr(t, j.Append(t.Context(), command("a")), memory.ErrTimeout)
		if took := time.Since(began).Round(time.Microsecond); took != memory.DefaultTimeout {
			t.Errorf("the loss was noticed after %v, want %v", took, memory.DefaultTimeout)
		}
		if n := stored(t, j); n != 0 {
			t.Errorf("%d messages were stored, though all requests are lost", n)
		}
	})
}

func TestLostAck(t *testing.T) {
	within(t, memory.Config{Faults: memory.Faults{LostAck: 1}}, func(t *testing.T, j *memory.Journal) {
		for range 2 {
			wantErr(t, j.Append(t.Context(), command("a")), memory.ErrTimeout)
		}
		if n := stored(t, j); n != 1 {
			t.Errorf("%d messages were stored, want the one whose answer was lost", n)
		}
		d := take(t, j)
		for range 2 { // the broker has done it, and a second try is no theft
			wantErr(t, d.DoubleAck(t.Context()), memory.ErrTimeout)
		}
		wait(2 * journal.Lease)
		if again := taken(t, j); again != nil {
			t.Errorf("%s came again, though its ack was stored", again.Message().Subject)
		}
	})
}

// taken returns a delivery that comes within a second, or nil.
func taken(t *testing.T, j journal.Journal) journal.Delivery {
	t.Helper()
	work, err := j.Consume(t.Context(), journal.Commands("svc", 1))
	if err != nil {
		t.Fatal(err)
	}
	defer work.Close()
	got := make(chan journal.Delivery, 1)
	go func() {
		d, err := work.Next(t.Context())
		if err == nil {
			got <- d
		}
		close(got)
	}()
	wait(time.Second)
	work.Close()
	return <-got
}

func TestDuplicate(t *testing.T) {
	within(t, memory.Config{Faults: memory.Faults{Duplicate: 1}}, func(t *testing.T, j *memory.Journal) {
		if err := j.Append(t.Context(), command("a")); err != nil {
			t.Fatal(err)
		}
		first, second := take(t, j), take(t, j)
		if first.Count() != 1 || second.Count() != 2 {
			t.Errorf("the deliveries count %d and %d", first.Count(), second.Count())
		}
		wantErr(t, first.DoubleAck(t.Context()), journal.ErrLost)
	})
}

func TestKill(t *testing.T) {
	within(t, memory.Config{}, func(t *testing.T, j *memory.Journal) {
		if err := j.Append(t.Context(), command("a")); err != nil {
			t.Fatal(err)
		}
		c := j.Client("doomed")
		if j.Client("doomed") != c {
			t.Error("a name has two clients")
		}
		d := take(t, c)
		asked := make(chan error, 1)
		go func() { asked <- c.Append(t.Context(), command("b")) }()
		synctest.Wait()
		c.Kill()
		c.Kill()
		wantErr(t, <-asked, journal.ErrClosed)
		wantErr(t, c.Append(t.Context(), command("c")), journal.ErrClosed)
		wantErr(t, d.DoubleAck(t.Context()), journal.ErrClosed)
		wantErr(t, d.Extend(), journal.ErrClosed)
		wantErr(t, d.Nak(0), journal.ErrClosed)
		if n := stored(t, j); n != 1 {
			t.Errorf("the journal holds %d messages; what a killed client had on its way is lost", n)
		}
		if again := j.Client("doomed"); again == c || again.Append(t.Context(), command("a")) != nil {
			t.Error("a killed client did not come to life as a new one")
		}
		if again := take(t, j); again.Count() != 2 {
			t.Errorf("the killed client's message was delivered with count %d", again.Count())
		}
	})
}

func TestCrash(t *testing.T) {
	within(t, memory.Config{}, func(t *testing.T, j *memory.Journal) {
		append1 := func() error { return j.Append(t.Context(), command("a")) }
		asked := make(chan error, 1)
		go func() { asked <- append1() }()
		synctest.Wait()
		j.Crash(3 * time.Second)
		wantErr(t, <-asked, memory.ErrTimeout) // it was on its way
		wantErr(t, append1(), memory.ErrTimeout)
		if err := append1(); err != nil {
			t.Errorf("append after the restart: %v", err)
		}
		if n := stored(t, j); n != 1 {
			t.Errorf("the journal holds %d messages, want 1", n)
		}
	})
}

func TestDuplicateWindow(t *testing.T) {
	within(t, memory.Config{}, func(t *testing.T, j *memory.Journal) {
		m := events.Message{Subject: "saga.start.x", Header: events.Header{events.HeaderMsgID: {"1"}}}
		put := func() {
			if err := j.Append(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		put()
		wait(time.Minute)
		put() // within the window
		wait(time.Minute + time.Second)
		put() // not any more
		j.Crash(0)
		put() // nor after a restart, which forgets
		work, err := j.Consume(t.Context(), journal.Starts(0))
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		go func() {
			for {
				if _, err := work.Next(t.Context()); err != nil {
					return
				}
				n++
			}
		}()
		wait(time.Second)
		work.Close()
		synctest.Wait()
		if n != 3 {
			t.Errorf("%d starts were stored, want 3", n)
		}
	})
}

func TestWorkQueueMakesRoom(t *testing.T) {
	within(t, memory.Config{MaxBytes: 1000}, func(t *testing.T, j *memory.Journal) {
		m := events.Message{Subject: "saga.start.x", Data: make([]byte, 900)}
		if err := j.Append(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		wantErr(t, j.Append(t.Context(), m), journal.ErrFull)
		work, err := j.Consume(t.Context(), journal.Starts(1))
		if err != nil {
			t.Fatal(err)
		}
		d, err := work.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := d.DoubleAck(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := j.Append(t.Context(), m); err != nil {
			t.Errorf("append into the room of an acked start: %v", err)
		}
	})
}
