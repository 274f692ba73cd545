package world

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"segue/events"
)

// caller publishes starts.
type caller struct {
	w        *world
	plan     []start
	runs     map[string]wish // run that must come of it
	refused  map[string]bool // starts that must be rejected, by what tells them apart
	finished atomic.Bool
	last     time.Time // when the last start by the clock is due
}

// wish is what a start asks for.
type wish struct {
	saga   string
	number int       // of the start
	due    time.Time // if it starts by the clock
}

// start is one start event and when it is published.
type start struct {
	at       time.Duration
	messages []events.Message // the same event, once or more often
}

func newCaller(w *world) *caller {
	c := &caller{w: w, runs: make(map[string]wish), refused: make(map[string]bool)}
	for i := range w.options.Runs {
		c.plan = append(c.plan, c.prepare(i))
	}
	return c
}

func (c *caller) prepare(i int) start {
	word, d := strconv.Itoa(i), c.w.dice
	slot := c.w.options.Chaos / time.Duration(c.w.options.Runs)
	s := start{at: slot*time.Duration(i) + d.between(0, slot, "start", word)}
	name, data, unfit := c.w.play.order(i)
	bad := d.chance(0.12, "bad", word)
	if bad {
		switch d.below(3, "how bad", word) {
		case 0:
			name = "no-such-saga"
		case 1:
			data = unfit
		case 2:
			data = data[:len(data)-1]
		}
	}
	subject := events.StartSubject(name).String()
	event := events.Event{ID: fmt.Sprintf("start-%d-%d", c.w.seed, i), Source: "/simulator", Type: "simulator.start.v1", DataContentType: events.JSON, Data: []byte(data)}
	forms := []events.Message{{Subject: subject, Data: event.Data}}
	if !d.chance(0.3, "bare", word) {
		forms = []events.Message{events.Encode(subject, event)}
		if structured, err := events.EncodeStructured(subject, event); err == nil {
			forms = append(forms, structured)
		}
	}
	if !json.Valid(event.Data) {
		forms = forms[:1] // what cannot be read is told from others by its bytes
	}
	if json.Valid(event.Data) && c.w.options.Clock && d.chance(0.5, "by the clock", word) {
		return c.byClock(s, wish{saga: name, number: i}, event.Data, bad)
	}
	for n := range 1 + d.below(3, "doubles", word) {
		s.messages = append(s.messages, forms[n%len(forms)])
	}
	read, err := events.DecodeStart(s.messages[0])
	switch id := events.RunID(read.Source, read.ID); {
	case bad && err == nil:
		c.refused[id] = true
	case bad:
		c.refused[subject+" "+string(s.messages[0].Data)] = true
	default:
		c.runs[id] = wish{saga: name, number: i}
	}
	return s
}

// byClock has a schedule make the start, once, long after it is set: setting it takes
// some tries.
func (c *caller) byClock(s start, want wish, input json.RawMessage, bad bool) start {
	d, word := c.w.dice, strconv.Itoa(want.number)
	want.due = c.w.began.Add(s.at + d.between(20*time.Second, 40*time.Second, "due", word)).UTC().Truncate(time.Second)
	if want.due.After(c.last) {
		c.last = want.due
	}
	subject := events.ScheduleSubject(want.saga, "at-"+word)
	m := events.Message{Subject: subject.String(), Data: events.MarshalData(events.ScheduleSet{At: want.due, Input: input})}
	if d.chance(0.5, "set by an event", word) {
		m = events.Encode(m.Subject, events.Event{ID: word, Source: "/simulator", Type: events.TypeScheduleSet, DataContentType: events.JSON, Data: m.Data})
	}
	s.messages = []events.Message{m}
	if id := events.RunID(events.ScheduleSource(subject), want.due.Format(time.RFC3339)); bad {
		c.refused[id] = true
	} else {
		c.runs[id] = want
	}
	return s
}

func (c *caller) call(ctx context.Context) {
	client := c.w.journal.Client("caller")
	for _, s := range c.plan {
		pause(ctx, time.Until(c.w.began.Add(s.at)))
		for i, m := range s.messages {
			insist(ctx, client, m)
			pause(ctx, c.w.dice.between(0, 2*time.Second, m.Subject, strconv.Itoa(i)))
		}
	}
	c.callAgain(ctx)
	c.finished.Store(true)
}

// callAgain sends some starts once more, when their runs may have left the journal.
func (c *caller) callAgain(ctx context.Context) {
	if !c.w.options.Leave {
		return
	}
	for i, s := range c.plan {
		word := strconv.Itoa(i)
		if !c.w.dice.chance(0.4, "again", word) {
			continue
		}
		pause(ctx, c.w.dice.between(time.Minute, 4*time.Minute, "again", word))
		c.w.count("start again")
		insist(ctx, c.w.journal.Client("caller"), s.messages[0])
	}
}

// names says how runs are called in a story.
func (c *caller) names() map[string]string {
	names := make(map[string]string)
	for id, wish := range c.runs {
		names[id] = fmt.Sprintf("run %d (%s)", wish.number, wish.saga)
	}
	return names
}

func (c *caller) done() bool { return c.finished.Load() && time.Now().After(c.last) }
