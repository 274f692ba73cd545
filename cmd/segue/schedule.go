package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"segue/daemon"
	"segue/events"
	"segue/journal"
	"segue/saga"
	"segue/saga/engine"
	"segue/schedule"
)

type scheduleCommand struct {
	Set scheduleSetCommand `cmd:"" help:"Start runs of a saga by the clock."`
	Ls  scheduleLsCommand  `cmd:"" help:"List schedules, their next time and their last run."`
	Rm  scheduleRmCommand  `cmd:"" help:"Remove a schedule."`
}

type scheduleSetCommand struct {
	Saga    string `arg:"" help:"Name of the saga, such as ingest."`
	Name    string `arg:"" help:"Name of the schedule, among those of the saga."`
	Input   string `arg:"" optional:"" default:"{}" help:"Input of the runs as JSON, with $${time} and $${date} for the time of the start; @FILE reads it from a file, - from standard input."`
	Cron    string `help:"Minute, hour, day of month, month, day of week, as in crontab; or @hourly, @daily, @weekly, @monthly." placeholder:"FIELDS" xor:"when" required:""`
	Every   string `help:"Time between two starts, such as 15m: then at 0, 15, 30 and 45 minutes past." placeholder:"DURATION" xor:"when" required:""`
	At      ahead  `help:"The only time: such as 2026-12-24T06:00:00Z, or how long from now, such as 90m." placeholder:"TIME" xor:"when" required:""`
	Zone    string `help:"Time zone of --cron, such as Europe/Zurich. Defaults to UTC." placeholder:"ZONE"`
	CatchUp string `name:"catch-up" help:"How late a start may be if nobody was there at its time. Defaults to 24h." placeholder:"DURATION"`
}

// Help teaches the rest.
func (scheduleSetCommand) Help() string {
	return `One of --cron, --every and --at says when. Each time has one run, however many orchestrators there are, which is started at it or, if
none was there, later; of several times that were missed only the last. A schedule of the
same name is replaced. All its runs have the correlation id schedule/SAGA/NAME.
Examples:
  segue schedule set ingest nightly '{"url":"https://example.org/${date}.csv"}' --cron '30 3 * * *' --zone Europe/Zurich
  segue schedule set ingest often '{"url":"https://example.org/todos.json"}' --every 15m
  segue ls --correlation schedule/ingest/nightly

The same with the nats CLI:
  nats pub saga.schedule.ingest.often '{"every":"15m","input":{"url":"https://example.org/todos.json"}}'`
}

// ahead is a time on the command line: RFC 3339, or how long from now.
type ahead struct{ time.Time }

// UnmarshalText is for the command line's parser.
func (a *ahead) UnmarshalText(text []byte) error {
	if d, err := time.ParseDuration(string(text)); err == nil && d > 0 {
		a.Time = time.Now().Add(d + time.Second) // whole seconds count, and it must not have passed
		return nil
	}
	at, err := time.Parse(time.RFC3339, string(text))
	if err != nil {
		return fmt.Errorf("%q is neither a time such as 2026-12-24T06:00:00Z nor how long from now, such as 90m", text)
	}
	a.Time = at
	return nil
}

func (c *scheduleSetCommand) Run(ctx context.Context, g *globals) error {
	subject, err := scheduleSubject(c.Saga, c.Name)
	if err != nil {
		return err
	}
	input, err := readInput(c.Input)
	if err != nil {
		return err
	}
	data := events.ScheduleSet{Cron: c.Cron, Zone: c.Zone, Every: c.Every, At: c.At.Time, CatchUp: c.CatchUp, Input: input}
	if !data.At.IsZero() {
		data.At = data.At.UTC().Truncate(time.Second)
	}
	sys, err := attach(ctx, g)
	if err != nil {
		return err
	}
	defer sys.Close()
	info, err := sys.Journal.Info(ctx)
	if err != nil {
		return err
	}
	s, err := schedule.New(subject, data, info.Now)
	if err != nil {
		return err
	}
	event := events.Event{Type: events.TypeScheduleSet, DataContentType: events.JSON, Data: events.MarshalData(data)}
	if err := putSchedule(ctx, sys.Bus, subject, event); err != nil {
		return err
	}
	if sys.local() {
		sayAsleep(os.Stderr)
	}
	next := s.Next(info.Now)
	if g.JSON {
		return json.NewEncoder(os.Stdout).Encode(map[string]any{"saga": c.Saga, "schedule": c.Name, "next": next, "run": s.Run(next)})
	}
	_, err = fmt.Printf("schedule %s of saga %s is set: it starts run %s at %s\n", c.Name, c.Saga, s.Run(next), next.Format(time.RFC3339))
	return err
}

func scheduleSubject(saga, name string) (events.Subject, error) {
	subject := events.ScheduleSubject(saga, name)
	if err := subject.Validate(); err != nil {
		return subject, fmt.Errorf("schedule %q of saga %q: %w", name, saga, err)
	}
	return subject, nil
}

// putSchedule publishes an event that sets or removes a schedule.
func putSchedule(ctx context.Context, bus *daemon.Bus, subject events.Subject, e events.Event) error {
	e.ID, e.Source, e.Time = events.NewStartID(), events.Client, time.Now().UTC()
	if err := send(ctx, bus, events.Entry{Subject: subject, Event: e}); err != nil {
		return fmt.Errorf("publish schedule %s of saga %s: %w", subject.Schedule, subject.Definition, err)
	}
	return nil
}

type scheduleRmCommand struct {
	Saga string `arg:"" help:"Name of the saga."`
	Name string `arg:"" help:"Name of the schedule."`
}

// Help teaches the rest.
func (scheduleRmCommand) Help() string {
	return `Runs that it has started go on: segue ls --correlation schedule/SAGA/NAME lists them.`
}

func (c *scheduleRmCommand) Run(ctx context.Context, g *globals) error {
	subject, err := scheduleSubject(c.Saga, c.Name)
	if err != nil {
		return err
	}
	sys, err := attach(ctx, g)
	if err != nil {
		return err
	}
	defer sys.Close()
	list, err := schedules(ctx, sys.Bus, subject.String(), time.Now())
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return fmt.Errorf("saga %s has no schedule %s; segue schedule ls lists them", c.Saga, c.Name)
	}
	if err := putSchedule(ctx, sys.Bus, subject, events.Event{Type: events.TypeScheduleRemoved}); err != nil {
		return err
	}
	if g.JSON {
		return json.NewEncoder(os.Stdout).Encode(map[string]string{"saga": c.Saga, "schedule": c.Name})
	}
	_, err = fmt.Printf("schedule %s of saga %s is removed\n", c.Name, c.Saga)
	return err
}

// scheduled is one line of the list.
type scheduled struct {
	Saga     string      `json:"saga"`
	Schedule string      `json:"schedule"`
	When     string      `json:"when,omitempty"`
	Set      time.Time   `json:"set"`
	Next     time.Time   `json:"next,omitzero"`
	Last     time.Time   `json:"last,omitzero"`
	Run      string      `json:"run,omitempty"`    // of the last time
	Status   saga.Status `json:"status,omitempty"` // of the run, if there is one
	Refused  string      `json:"refused,omitempty"`
}

// schedules returns the schedules that match a filter, by saga and name, as they are at
// a time.
func schedules(ctx context.Context, bus *daemon.Bus, filter string, now time.Time) ([]scheduled, error) {
	t := newTracker(bus)
	var list []scheduled
	err := each(ctx, bus.Journal, filter, 0, func(record journal.Record) (bool, error) {
		subject, err := events.ParseSubject(record.Subject)
		if err != nil {
			return false, nil // nobody reads it
		}
		line := scheduled{Saga: subject.Definition, Schedule: subject.Schedule, Set: record.Stored}
		switch s, err := engine.ReadSchedule(ctx, bus.Data, record); {
		case err != nil:
			line.Refused = err.Error()
		case s == nil:
			return false, nil
		default:
			if err := line.see(ctx, t, s, now); err != nil {
				return true, err
			}
		}
		list = append(list, line)
		return false, nil
	})
	slices.SortFunc(list, func(a, b scheduled) int {
		return strings.Compare(a.Saga+"."+a.Schedule, b.Saga+"."+b.Schedule)
	})
	return list, err
}

// see enters the times of a schedule, and what became of the last.
func (l *scheduled) see(ctx context.Context, t *tracker, s *schedule.Schedule, now time.Time) error {
	l.When, l.Next, l.Last = s.String(), s.Next(now), s.Last(now)
	if l.Last.IsZero() {
		return nil
	}
	run, err := findExactly(ctx, t, s.Run(l.Last))
	l.Run, l.Status = s.Run(l.Last), run.Status
	return err
}

type scheduleLsCommand struct {
	Saga string `arg:"" optional:"" help:"Only schedules of this saga."`
}

// Help teaches the rest.
func (scheduleLsCommand) Help() string {
	return `Times are in UTC. RUN is that of the last time; its STATUS is "none" if there is no such
run: segue rejected ls says if its start was rejected.`
}

func (c *scheduleLsCommand) Run(ctx context.Context, g *globals) error {
	filter := events.AllSchedules
	if c.Saga != "" {
		if _, err := scheduleSubject(c.Saga, "any"); err != nil {
			return err
		}
		filter = events.ScheduleFilter(c.Saga)
	}
	sys, err := attach(ctx, g)
	if err != nil {
		return err
	}
	defer sys.Close()
	info, err := sys.Journal.Info(ctx)
	if err != nil {
		return err
	}
	list, err := schedules(ctx, sys.Bus, filter, info.Now)
	if err != nil {
		return err
	}
	if g.JSON {
		return writeJSON(os.Stdout, list)
	}
	if len(list) == 0 {
		fmt.Fprintln(os.Stderr, "no schedules; segue schedule set makes one")
		return nil
	}
	return tabulateSchedules(os.Stdout, list)
}

func tabulateSchedules(w io.Writer, list []scheduled) error {
	at := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return t.UTC().Format(time.DateTime)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SAGA\tSCHEDULE\tWHEN\tNEXT\tLAST\tRUN\tSTATUS")
	for _, l := range list {
		status := string(l.Status)
		switch {
		case l.Refused != "":
			status = "refused: " + clip(oneLine(l.Refused), 100)
		case l.Run == "":
			status = "-"
		case l.Status == "":
			status = "none"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
			l.Saga, l.Schedule, cmp.Or(l.When, "-"), at(l.Next), at(l.Last), cmp.Or(l.Run, "-"), status)
	}
	return table.Flush()
}
