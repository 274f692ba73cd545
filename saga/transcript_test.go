package saga

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"segue/events"
)

var rewrite = flag.Bool("rewrite", false, "accept what the transcripts in testdata now print")

// TestTranscripts runs testdata/transcripts/*.txt: blocks of a command, its
// input lines, a line "----" and what it prints. Lines before a block that begin
// with # say what it proves. Run with -rewrite to accept changes.
func TestTranscripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/transcripts/*.txt")
	if err != nil || len(files) < 13 {
		t.Fatalf("found %d transcripts, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := new(script).play(t, string(text))
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(text) {
				t.Errorf("transcript differs; run with -rewrite and look at the change. It now reads:\n%s", got)
			}
		})
	}
}

// script is a run with a journal around it.
type script struct {
	definition *Definition
	run        *Run
	began      time.Time
	now        time.Time
	started    events.Entry
	stored     []events.Entry
}

// play returns the transcript with what each command prints now.
func (s *script) play(t *testing.T, text string) string {
	s.began = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s.now = s.began
	var out strings.Builder
	for _, block := range strings.SplitAfter(text, "\n\n") {
		head, _, isCommand := strings.Cut(block, "----\n")
		if !isCommand {
			out.WriteString(block)
			continue
		}
		out.WriteString(head + "----\n")
		for strings.HasPrefix(head, "#") {
			_, head, _ = strings.Cut(head, "\n")
		}
		command, input, _ := strings.Cut(head, "\n")
		printed := s.do(t, command, input)
		s.checkEssence(t)
		out.WriteString(printed)
		if strings.HasSuffix(block, "\n\n") {
			out.WriteString("\n")
		}
	}
	return out.String()
}

// checkEssence holds the run against the one that its essence makes.
func (s *script) checkEssence(t *testing.T) {
	t.Helper()
	if s.run == nil {
		return
	}
	essence := s.run.Essence()
	again, err := Begin(s.definition, essence[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range essence[1:] {
		again.Apply(e)
	}
	if !reflect.DeepEqual(again, s.run) {
		t.Errorf("the essence makes another run:\n%+v\nwant\n%+v", again, s.run)
	}
	if len(essence) > len(s.stored) {
		t.Errorf("the essence of %d messages has %d", len(s.stored), len(essence))
	}
}

func (s *script) do(t *testing.T, command, input string) string {
	words := strings.Fields(command)
	rest := strings.TrimSpace(strings.TrimPrefix(command, words[0]))
	switch words[0] {
	case "define": // define, then a definition file
		d, err := Load("saga.yaml", []byte(input), nil)
		if err != nil {
			return err.Error() + "\n"
		}
		s.definition = d
		return fmt.Sprintf("saga %s, %d steps\n", d.Name, len(d.Steps))
	case "start": // start {"input": 1}
		return s.start(t, rest)
	case "decide": // decide: prints what is decided and stores it
		return s.decide(true)
	case "ponder": // ponder: prints what is decided and does not store it
		return s.decide(false)
	case "at": // at 5s: it is now 5s after the start
		d, err := time.ParseDuration(rest)
		if err != nil {
			t.Fatal(err)
		}
		s.now = s.began.Add(d)
		return ""
	case "answer": // answer fetch.1 completed {"output": 1}; also failed, unreadable
		return s.answer(t, words[1], words[2], strings.TrimSpace(strings.TrimPrefix(rest, words[1]+" "+words[2])))
	case "command": // command fetch.2: another orchestrator, which has read less, asks for it
		e := s.place(t, events.KindCommand, words[1])
		e.Event = events.Event{ID: "other", Type: events.TypeStepRequested}
		return s.store(e)
	case "signal": // signal cancel
		return s.store(NewSignal(rest, s.started, "", s.now))
	case "show": // show: the run as people see it
		return s.show()
	case "shuffle": // shuffle: applies all messages in other orders, twice each
		return s.shuffle()
	}
	t.Fatalf("unknown command %q", command)
	return ""
}

func (s *script) start(t *testing.T, input string) string {
	event := events.Event{ID: "order-1", Source: "/shop", Data: []byte(input)}
	s.started = NewStarted(s.definition, event, 16, s.now)
	s.started.Stored, s.started.Sequence = s.now, 1
	run, err := Begin(s.definition, s.started)
	if err != nil {
		t.Fatal(err)
	}
	s.run = run
	s.stored = []events.Entry{s.started}
	return s.line(s.started)
}

// store does what the journal does: the first message on a subject stays.
func (s *script) store(e events.Entry) string {
	for _, old := range s.stored {
		if old.Subject == e.Subject {
			return "taken: " + s.line(old)
		}
	}
	e.Sequence, e.Stored = uint64(len(s.stored)+1), s.now
	s.stored = append(s.stored, e)
	s.run.Apply(e)
	return s.line(e)
}

func (s *script) decide(store bool) string {
	d := s.run.Decide(s.now)
	var b strings.Builder
	for _, e := range d.Append {
		if store {
			b.WriteString(s.store(e))
		} else {
			b.WriteString(s.line(e))
		}
	}
	if !d.Next.IsZero() {
		fmt.Fprintf(&b, "next at %s\n", d.Next.Sub(s.began))
	}
	if b.Len() == 0 {
		return "nothing\n"
	}
	return b.String()
}

// line prints a message: its place, what it is, and its data.
func (s *script) line(e events.Entry) string {
	subject := strings.TrimPrefix(e.Subject.String(), fmt.Sprintf("saga.run.%02d.%s.", e.Subject.Partition, e.Subject.Run))
	line := subject + " " + strings.TrimSuffix(strings.TrimPrefix(e.Event.Type, "segue."), ".v1")
	if e.Sequence > 0 {
		line = fmt.Sprintf("%d %s", e.Sequence, line)
	}
	if len(e.Event.Data) > 0 && e.Subject.Kind != events.KindStarted {
		line += " " + string(e.Event.Data)
	}
	if !e.Event.Expiry.IsZero() {
		line += " expires " + e.Event.Expiry.Sub(s.began).String()
	}
	return line + "\n"
}

// place returns an entry for STEP.ATTEMPT.
func (s *script) place(t *testing.T, kind events.Kind, where string) events.Entry {
	step, number, _ := strings.Cut(where, ".")
	attempt, err := events.ParseAttempt(number)
	i := s.definition.Step(step)
	if err != nil || i < 0 {
		t.Fatalf("no attempt %s", where)
	}
	return events.Entry{Subject: s.run.subject(kind, &s.definition.Steps[i], attempt)}
}

func (s *script) answer(t *testing.T, where, what, data string) string {
	e := s.place(t, events.KindOutcome, where)
	kinds := map[string]string{"completed": events.TypeStepCompleted, "failed": events.TypeStepFailed, "unreadable": ""}
	if e.Subject.Attempt.Undo {
		kinds = map[string]string{"completed": events.TypeUndoCompleted, "failed": events.TypeUndoFailed, "unreadable": ""}
	}
	kind, known := kinds[what]
	if !known {
		t.Fatalf("answer %q", what)
	}
	if kind != "" {
		e.Event = events.Event{ID: where, Source: "/service", Type: kind, Data: []byte(data)}
	}
	return s.store(e)
}

func (s *script) show() string {
	v := s.run.View()
	var b strings.Builder
	fmt.Fprintf(&b, "%s", v.Status)
	if v.Reason != nil {
		fmt.Fprintf(&b, " because %s", strings.TrimSpace(v.Reason.Kind+" "+v.Reason.Step+" "+v.Reason.Message))
	}
	if len(v.Undone) > 0 {
		fmt.Fprintf(&b, ", undone %s", strings.Join(v.Undone, " "))
	}
	if v.NextRetry != "" {
		fmt.Fprintf(&b, ", waits for %s", v.NextRetry)
	}
	b.WriteByte('\n')
	for _, step := range v.Steps {
		fmt.Fprintf(&b, "%-10s %-10s attempts %d", step.Step, step.State, step.Attempts)
		if step.Undos > 0 {
			fmt.Fprintf(&b, " undos %d", step.Undos)
		}
		if !step.Due.IsZero() {
			fmt.Fprintf(&b, " due %s", step.Due.Sub(s.began))
		}
		if step.Failure != nil {
			fmt.Fprintf(&b, " (%s)", step.Failure.Message)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// shuffle folds the messages in other orders, each twice, and compares.
func (s *script) shuffle() string {
	const orders = 100
	random := rand.New(rand.NewPCG(1, 2)) // fixed: the transcript must not change
	want := s.run.View()
	for range orders {
		run, err := Begin(s.definition, s.started)
		if err != nil {
			return err.Error()
		}
		messages := slices.Concat(s.stored[1:], s.stored[1:])
		random.Shuffle(len(messages), func(i, j int) { messages[i], messages[j] = messages[j], messages[i] })
		for _, m := range messages {
			run.Apply(m)
		}
		if !reflect.DeepEqual(run.View(), want) || !reflect.DeepEqual(run.Decide(s.now), s.run.Decide(s.now)) {
			return "the run differs\n"
		}
	}
	return fmt.Sprintf("%d orders, one result\n", orders)
}
