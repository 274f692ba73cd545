//go:build unix

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"segue/events"
	"segue/faults/fleet"
)

func init() {
	register(Fault{
		Name:  "disk-full-broker",
		Goal:  "publishers and the log are told within 5 s; all goes on within 5 s of there being space, by itself; 0 acked starts lost, rows exact",
		Limit: 90 * time.Second, LongLimit: 20 * time.Minute,
		Run: diskFullBroker,
	})
	register(Fault{
		Name:  "disk-full-database",
		Goal:  "a failure that says so within 5 s; saves go on within 5 s of there being space, by themselves; rows exact",
		Limit: 90 * time.Second, LongLimit: 20 * time.Minute,
		Run: diskFullDatabase,
	})
}

// full is how long a disk stays full.
const full = 5 * time.Second

// spareBytes is what is left on the disk of a broker: less than it wants to keep
// free, more than it writes before it has noticed.
const spareBytes = 16 << 20

// diskFullBroker fills the disk of `segue up`, whose database is elsewhere.
func diskFullBroker(ctx context.Context, b *Bench) (r Report, err error) {
	rounds := b.Pick(1, 10)
	const rate = 20
	d, err := newDisk(ctx, b, "disk")
	if err != nil {
		return r, err
	}
	s, err := b.diskScene(ctx, rate*rounds*12, fleet.Config{
		Members: []string{"segue"}, Args: map[string][]string{"segue": {"--data-dir", d.path("data")}},
	})
	if err != nil {
		return r, err
	}
	p, err := newPublisher(ctx, s.Client)
	if err != nil {
		return r, err
	}
	var told, back time.Duration
	s.Load(ctx, rate)
	for range rounds {
		pause(ctx, b.between(time.Second, 3*time.Second))
		if !s.Loading() {
			return r, errQuiet
		}
		took, err := p.until(ctx, func() error { return d.fill(spareBytes) }, refused)
		if err != nil {
			return r, err
		}
		told = max(told, took)
		pause(ctx, full)
		if took, err = p.until(ctx, d.free, accepted); err != nil {
			return r, err
		}
		back = max(back, took)
	}
	s.Enough()
	r.Did = fmt.Sprintf("documents at %d/s, disk of segue up's broker full %d times for %v", rate, rounds, full)
	r.Want(told <= 5*time.Second, "publishers told after %.1f s", told.Seconds())
	r.Want(back <= 5*time.Second, "publishers accepted %.1f s after there was space", back.Seconds())
	const alarm = "disk of the broker is nearly full: nothing new is stored until there is space"
	alarms := len(s.Member("segue").Lines(alarm))
	r.Want(alarms == rounds, "%d alarms in the log", alarms)
	return r, s.Finish(ctx, &r)
}

// diskScene stages documents for the sturdy saga; a config with no broker elsewhere and
// the member segue means `segue up`.
func (b *Bench) diskScene(ctx context.Context, docs int, cfg fleet.Config) (*Scene, error) {
	saga, err := sturdyWithin(b, 10*time.Second)
	if err != nil {
		return nil, err
	}
	shelf, err := b.Shelf(docs, sturdyName)
	if err != nil {
		return nil, err
	}
	if len(cfg.Members) == 1 {
		address, err := fleet.FreeAddress()
		if err != nil {
			return nil, err
		}
		cfg.Server = "nats://" + address
	}
	cfg.Sagas, cfg.Env = []string{saga}, []string{"SEGUE_LEASE=5s"}
	return b.Stage(ctx, cfg, shelf.Tasks)
}

// publisher publishes to a stream of its own, to see what publishers are told.
type publisher struct{ c *fleet.Client }

const probeSubject = "faults.probe"

func newPublisher(ctx context.Context, c *fleet.Client) (publisher, error) {
	_, err := c.JS.CreateStream(ctx, jetstream.StreamConfig{Name: "FAULTS", Subjects: []string{probeSubject}, MaxBytes: 1 << 20})
	return publisher{c}, err
}

// until does something and publishes until the outcome is as wanted; it returns
// how long that took.
func (p publisher) until(ctx context.Context, do func() error, wanted func(error) bool) (time.Duration, error) {
	if err := do(); err != nil {
		return 0, err
	}
	begin := time.Now()
	err := fleet.Within(ctx, 30*time.Second, func() error {
		err := p.c.TryPublish(ctx, events.Message{Subject: probeSubject})
		if !wanted(err) {
			return fmt.Errorf("publish: %w", errors.Join(errors.New("not as wanted"), err))
		}
		return nil
	})
	return time.Since(begin), err
}

// refused says that the broker has answered, and not stored.
func refused(err error) bool {
	api := new(jetstream.APIError)
	return errors.As(err, &api)
}

func accepted(err error) bool { return err == nil }

// diskFullDatabase fills the disk of the saver's SQLite file.
func diskFullDatabase(ctx context.Context, b *Bench) (r Report, err error) {
	rounds := b.Pick(1, 10)
	const rate = 60
	d, err := newDisk(ctx, b, "disk")
	if err != nil {
		return r, err
	}
	s, err := b.diskScene(ctx, rate*rounds*12, fleet.Config{Database: "sqlite:" + d.path("segue.db")})
	if err != nil {
		return r, err
	}
	var told, back time.Duration
	s.Load(ctx, rate)
	for range rounds {
		pause(ctx, b.between(time.Second, 3*time.Second))
		if !s.Loading() {
			return r, errQuiet
		}
		begin := time.Now()
		if err := d.fill(0); err != nil {
			return r, err
		}
		at, err := s.logged(ctx, "saver", begin, "attempt failed", "is full")
		if err != nil {
			return r, err
		}
		told = max(told, at.Sub(begin))
		pause(ctx, full)
		begin = time.Now()
		if err := d.free(); err != nil {
			return r, err
		}
		if at, err = s.logged(ctx, "saver", begin, "attempt completed", ""); err != nil {
			return r, err
		}
		back = max(back, at.Sub(begin))
	}
	s.Enough()
	r.Did = fmt.Sprintf("documents at %d/s, disk of the saver's SQLite full %d times for %v", rate, rounds, full)
	r.Want(told <= 5*time.Second, "attempts failed with \"is full\" after %.1f s", told.Seconds())
	r.Want(back <= 5*time.Second, "saved again %.1f s after there was space", back.Seconds())
	return r, s.Finish(ctx, &r)
}

// logged waits for a line of a member's log that is later than an instant, has a
// message, if one is given, and speaks of something. It returns the line's time.
func (s *Scene) logged(ctx context.Context, member string, after time.Time, message, text string) (at time.Time, err error) {
	err = fleet.Within(ctx, 30*time.Second, func() error {
		for line := range strings.Lines(s.Member(member).Text()) {
			var l struct {
				Time time.Time
				Msg  string
			}
			if strings.Contains(line, text) && json.Unmarshal([]byte(line), &l) == nil && l.Time.After(after) && (message == "" || l.Msg == message) {
				at = l.Time
				return nil
			}
		}
		return fmt.Errorf("%s has not logged %q with %q", member, message, text)
	})
	return at, err
}
