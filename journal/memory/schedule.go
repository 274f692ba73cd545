package memory

import (
	"container/heap"
	"time"
)

// event is something that happens at an instant.
type event struct {
	due int64  // Unix time, ns
	key uint64 // orders events of one instant without regard to who came first
	seq uint64 // orders events of one instant and key
	run func()
	// broker marks what the broker does by itself, which waits while it is down.
	broker bool
	index  int // in the agenda; -1 when it is not there
}

// agenda holds the events to come, the next one first.
type agenda struct {
	events  []*event
	seq     uint64
	running bool // the scheduler executes an event and will look again by itself
}

func (a *agenda) Len() int { return len(a.events) }

func (a *agenda) Less(x, y int) bool {
	l, r := a.events[x], a.events[y]
	if l.due != r.due {
		return l.due < r.due
	}
	if l.key != r.key {
		return l.key < r.key
	}
	return l.seq < r.seq
}

func (a *agenda) Swap(x, y int) {
	a.events[x], a.events[y] = a.events[y], a.events[x]
	a.events[x].index, a.events[y].index = x, y
}

func (a *agenda) Push(x any) {
	e := x.(*event)
	e.index = len(a.events)
	a.events = append(a.events, e)
}

func (a *agenda) Pop() any {
	last := len(a.events) - 1
	e := a.events[last]
	a.events[last] = nil
	a.events = a.events[:last]
	e.index = -1
	return e
}

// after enters an event. The journal must be locked, here and in run.
func (j *Journal) after(d time.Duration, key uint64, run func()) *event {
	return j.enter(&event{key: key, run: run}, d)
}

// afterUp enters an event that waits while the broker is down.
func (j *Journal) afterUp(d time.Duration, key uint64, run func()) *event {
	return j.enter(&event{key: key, run: run, broker: true}, d)
}

func (j *Journal) enter(e *event, d time.Duration) *event {
	const micro = int64(time.Microsecond)
	e.due = time.Now().Add(d).UnixNano()
	if j.config.Latency > 0 && e.due%micro == 0 {
		e.due += 1 + int64(e.key%uint64(micro-1))
	}
	j.agenda.seq++
	e.seq = j.agenda.seq
	heap.Push(&j.agenda, e)
	if e.index == 0 && !j.agenda.running {
		select {
		case j.wake <- struct{}{}:
		default: // the scheduler has been told and has not looked yet
		}
	}
	return e
}

// cancel takes an event out, if it is still to come.
func (j *Journal) cancel(e *event) {
	if e != nil && e.index >= 0 {
		heap.Remove(&j.agenda, e.index)
	}
}

// schedule executes the events, one at a time.
func (j *Journal) schedule() {
	defer close(j.stopped)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var due <-chan time.Time
		if wait, any := j.untilNext(); any {
			if wait <= 0 {
				j.runNext()
				continue
			}
			timer.Reset(wait)
			due = timer.C
		}
		select {
		case <-due:
			j.runNext()
		case <-j.wake:
		case <-j.stop:
			return
		}
	}
}

// untilNext returns how long to wait for the next event, if there is any. With
// a latency that is never 0: see Determinism in the package documentation.
func (j *Journal) untilNext() (wait time.Duration, any bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed || j.agenda.Len() == 0 {
		return 0, false
	}
	wait = time.Duration(j.agenda.events[0].due - time.Now().UnixNano())
	if j.config.Latency > 0 {
		wait = max(wait, 1)
	}
	return wait, true
}

// runNext executes the first event if it is due, and with it those that are alike:
// of equal requests that were sent at one instant it does not matter which came
// first if all have one fate.
func (j *Journal) runNext() {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := time.Now()
	if j.closed || j.agenda.Len() == 0 || j.agenda.events[0].due > now.UnixNano() {
		return // it was cancelled
	}
	j.agenda.running = true
	defer func() { j.agenda.running = false }()
	due, key := j.agenda.events[0].due, j.agenda.events[0].key
	for j.agenda.Len() > 0 && j.agenda.events[0].due == due && j.agenda.events[0].key == key {
		e := heap.Pop(&j.agenda).(*event)
		if down := j.upAt.Sub(now); e.broker && down > 0 {
			j.enter(e, down+j.travel(toArrive, e.key))
			continue
		}
		e.run()
	}
}
