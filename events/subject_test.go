package events_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"segue/events"
)

const longest = "0123456789012345678901234567890123456789012345678901234567890123" // MaxToken bytes

func TestSubjects(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]events.Subject{
		"saga.start.ingest":                                       {Kind: events.KindStart, Definition: "ingest"},
		"saga.rejected.ingest.4711":                               {Kind: events.KindRejected, Definition: "ingest", Start: "4711"},
		"saga.history.ingest.completed.r-1":                       {Kind: events.KindHistory, Definition: "ingest", Status: "completed", Run: "r-1"},
		"saga.definition.ingest":                                  {Kind: events.KindDefinition, Definition: "ingest"},
		"saga.schedule.ingest.nightly":                            {Kind: events.KindSchedule, Definition: "ingest", Schedule: "nightly"},
		"saga.run.07.r-1.started":                                 {Kind: events.KindStarted, Partition: 7, Run: "r-1"},
		"saga.run.00.r_1.ended":                                   {Kind: events.KindEnded, Run: "r_1"},
		"saga.run.999.R.signal.retry-1":                           {Kind: events.KindSignal, Partition: 999, Run: "R", Signal: "retry-1"},
		"saga.run.10.r.command.a.b.1":                             {Kind: events.KindCommand, Partition: 10, Run: "r", Service: "a", Step: "b", Attempt: events.Attempt{N: 1}},
		"saga.run.10.r.outcome.a.b.u1000000":                      {Kind: events.KindOutcome, Partition: 10, Run: "r", Service: "a", Step: "b", Attempt: events.Attempt{N: 1_000_000, Undo: true}},
		"saga.run.10.started.command.run.saga.9":                  {Kind: events.KindCommand, Partition: 10, Run: "started", Service: "run", Step: "saga", Attempt: events.Attempt{N: 9}},
		"saga.run.10.r.command." + longest + "." + longest + ".1": {Kind: events.KindCommand, Partition: 10, Run: "r", Service: longest, Step: longest, Attempt: events.Attempt{N: 1}},
	} {
		got, err := events.ParseSubject(text)
		if err != nil || got != want {
			t.Errorf("ParseSubject(%q) = %+v, %v, want %+v", text, got, err, want)
		}
		if got.String() != text || got.Validate() != nil {
			t.Errorf("%q is written as %q (%v)", text, got, got.Validate())
		}
	}
}

// TestLongestSubject shows that MaxSubject leaves nothing of the table out.
func TestLongestSubject(t *testing.T) {
	t.Parallel()
	s := events.Subject{Kind: events.KindCommand, Partition: events.MaxPartitions - 1, Run: longest, Service: longest,
		Step: longest, Attempt: events.Attempt{N: events.MaxAttempt, Undo: true}}
	if err := s.Validate(); err != nil || len(s.String()) > events.MaxSubject {
		t.Errorf("%d bytes: %v", len(s.String()), err)
	}
}

func TestHostileSubjects(t *testing.T) {
	t.Parallel()
	hostile := []string{
		"", ".", "saga", "saga.", "saga.start", "saga.start.", "saga..ingest", "saga.run", "saga.run.07", "saga.run.07.r",
		"Saga.start.ingest", "saga.Start.ingest", "saga.start.a.b", "saga.stop.a", " saga.start.a", "saga.start.a ",
		"saga.start.*", "saga.start.>", "saga.run.>", "saga.run.*.r.started", "saga.run.07.*.started", "saga.run.07.>",
		"saga.start.a b", "saga.start.a\tb", "saga.start.a\nb", "saga.start.a\x00b", "saga.start.é", "saga.start.\xff", "saga.start.a/b",
		"saga.start." + longest + "x", strings.Repeat(".", 1<<20), "saga.start." + strings.Repeat("a", 1<<20),
		"saga.rejected.a", "saga.rejected.a.", "saga.rejected..b", "saga.rejected.a.b.c",
		"saga.run.07..started", "saga.run.07.r.started.", "saga.run.07.r.started.x", "saga.run.07.r.STARTED", "saga.run.07.r.start",
		"saga.run.07.r.ended.x", "saga.run.07.r.signal", "saga.run.07.r.signal.", "saga.run.07.r.signal.a.b", "saga.run.07.r.signal.*",
		"saga.run.07.r.command.a.b", "saga.run.07.r.command.a.b.", "saga.run.07.r.command.a.b.1.2", "saga.run.07.r.command..b.1",
		"saga.run.07.r.command.a..1", "saga.run.07.r.command.*.b.1", "saga.run.07.r.command.a.b.>",
	}
	for _, run := range []string{"", "*", ">", "r.a", "r a", longest + "x"} {
		hostile = append(hostile, "saga.history.a.completed."+run)
	}
	hostile = append(hostile, "saga.history.a.r", "saga.history.a..r", "saga.definition.", "saga.definition.a.b",
		"saga.schedule.a", "saga.schedule.a.", "saga.schedule..b", "saga.schedule.a.b.c", "saga.schedule.a.*")
	for _, partition := range []string{"", "7", "007", "0", "-1", "-0", "+7", "1000", "1e2", "0x1", "７", "99999999999999999999", " 7", "1_0"} {
		hostile = append(hostile, "saga.run."+partition+".r.started")
	}
	for _, attempt := range []string{"0", "01", "+1", "-1", "1.0", "1e3", "0x1", "u", "u0", "u01", "u+1", "u-1", "uu1", "U1", "1u", "1000001", "u1000001", "99999999999999999999", "１", "1 ", "1_0"} {
		hostile = append(hostile, "saga.run.07.r.outcome.a.b."+attempt)
		if a, err := events.ParseAttempt(attempt); !errors.Is(err, events.ErrSubject) || a != (events.Attempt{}) {
			t.Errorf("ParseAttempt(%q) = %+v, %v", attempt, a, err)
		}
	}
	for _, text := range hostile {
		s, err := events.ParseSubject(text)
		if !errors.Is(err, events.ErrSubject) || s != (events.Subject{}) {
			t.Errorf("ParseSubject(%.60q) = %+v, %v", text, s, err)
		}
		if err != nil && len(err.Error()) > 2*events.MaxSubject+100 {
			t.Errorf("the error for %.60q is %d bytes long", text, len(err.Error()))
		}
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	good := events.RunSubject(events.KindStarted, "r", 16)
	for name, change := range map[string]func(*events.Subject){
		"no kind":            func(s *events.Subject) { s.Kind = "" },
		"unknown kind":       func(s *events.Subject) { s.Kind = "paused" },
		"no run":             func(s *events.Subject) { s.Run = "" },
		"dot in run":         func(s *events.Subject) { s.Run = "r.started" },
		"wildcard":           func(s *events.Subject) { s.Run = "*" },
		"negative partition": func(s *events.Subject) { s.Partition = -1 },
		"large partition":    func(s *events.Subject) { s.Partition = events.MaxPartitions },
		"foreign field":      func(s *events.Subject) { s.Step = "fetch" },
		"foreign attempt":    func(s *events.Subject) { s.Attempt.Undo = true },
		"attempt 0": func(s *events.Subject) {
			s.Kind, s.Service, s.Step = events.KindCommand, "a", "b"
		},
	} {
		s := good
		change(&s)
		if err := s.Validate(); !errors.Is(err, events.ErrSubject) {
			t.Errorf("%s: %q is valid: %v", name, s, err)
		}
	}
}

func TestWith(t *testing.T) {
	t.Parallel()
	command, err := events.ParseSubject("saga.run.07.r.command.a.b.u2")
	if err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[events.Kind]string{
		events.KindOutcome: "saga.run.07.r.outcome.a.b.u2",
		events.KindStarted: "saga.run.07.r.started",
		events.KindEnded:   "saga.run.07.r.ended",
	} {
		if got := command.With(kind); got.String() != want || got.Validate() != nil {
			t.Errorf("With(%s) = %q: %v", kind, got, got.Validate())
		}
	}
	signal := command.With(events.KindSignal)
	signal.Signal = events.RetrySignal(3)
	if got := signal.String(); got != "saga.run.07.r.signal.retry-3" || signal.Validate() != nil {
		t.Errorf("signal is %q: %v", got, signal.Validate())
	}
}

// TestFilters holds the filters and the subjects together by matching them as
// NATS does.
func TestFilters(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		filter, subject string
		want            bool
	}{
		{events.AllRuns, "saga.run.07.r.started", true},
		{events.AllRuns, "saga.start.a", false},
		{events.AllStarts, "saga.start.a", true},
		{events.AllHistory, "saga.history.a.completed.00ff", true},
		{events.HistoryFilter("a"), events.HistorySubject("x", "completed", "a").String(), true},
		{events.HistoryFilter("a"), events.HistorySubject("x", "completed", "b").String(), false},
		{events.AllDefinitions, "saga.definition.a", true},
		{events.AllSchedules, "saga.schedule.a.b", true},
		{events.ScheduleFilter("a"), "saga.schedule.a.b", true},
		{events.ScheduleFilter("a"), "saga.schedule.b.a", false},
		{events.AllRejected, "saga.rejected.a.b", true},
		{events.PartitionFilter(7), "saga.run.07.r.ended", true},
		{events.PartitionFilter(7), "saga.run.70.r.ended", false},
		{events.PartitionFilter(123), "saga.run.123.r.ended", true},
		{events.RunFilter("r"), "saga.run.07.r.signal.cancel", true},
		{events.RunFilter("r"), "saga.run.07.s.signal.cancel", false},
		{events.CommandFilter("a"), "saga.run.07.r.command.a.b.1", true},
		{events.CommandFilter("a"), "saga.run.07.r.outcome.a.b.1", false},
		{events.CommandFilter("a"), "saga.run.07.r.command.b.a.1", false},
	} {
		if _, err := events.ParseSubject(c.subject); err != nil {
			t.Error(err)
		}
		if got := matches(c.filter, c.subject); got != c.want {
			t.Errorf("%s matches %s: %v", c.filter, c.subject, got)
		}
	}
}

func matches(filter, subject string) bool {
	f, s := strings.Split(filter, "."), strings.Split(subject, ".")
	for i, token := range f {
		switch {
		case token == ">":
			return len(s) > i
		case i >= len(s), token != "*" && token != s[i]:
			return false
		}
	}
	return len(f) == len(s)
}

// TestPartitionOf pins values that programs in other languages compute too.
func TestPartitionOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		run        string
		partitions int
		want       int
	}{
		{"a", 16, 12}, {"a", 1000, 220},
		{"order-4711", 16, 13}, {"order-4711", 1000, 725},
		{"2f4c6f86-6e4a-5c3c-9d5e-0d9f6a3b7c21", 16, 15}, {"2f4c6f86-6e4a-5c3c-9d5e-0d9f6a3b7c21", 1000, 271},
		{"", 16, 5}, {"anything", 1, 0},
	} {
		if got := events.PartitionOf(c.run, c.partitions); got != c.want {
			t.Errorf("PartitionOf(%q, %d) = %d, want %d", c.run, c.partitions, got, c.want)
		}
	}
}

// TestPartitionsAreEven counts where the ids of runs go. With 1,000 expected in
// each partition, one that is off by 15 % is 4.7 standard deviations out.
func TestPartitionsAreEven(t *testing.T) {
	t.Parallel()
	const partitions, each = 16, 1000
	count := make([]int, partitions)
	for i := range partitions * each {
		run := events.RunID("/test", fmt.Sprint(i))
		if uuid.Validate(run) != nil || !events.ValidName(run) {
			t.Fatalf("run id %q", run)
		}
		count[events.PartitionOf(run, partitions)]++
	}
	for p, n := range count {
		if n < each*85/100 || n > each*115/100 {
			t.Errorf("partition %d has %d of %d runs", p, n, partitions*each)
		}
	}
}
