package memory

import (
	"slices"
	"time"
)

// queue hands messages to workers. Messages wait in ready until a worker waits
// for one, so that nothing is leased to a worker that did not ask.
type queue struct {
	j        *Journal
	id       uint64
	ready    []*item // oldest first
	workers  []*worker
	matching bool      // a match is in the agenda
	acked    []*record // oldest first, if they may come again, see [Faults].Forgotten
}

// item is a message in a queue. It is in one of four places: on its way into
// ready, in ready, leased, or gone.
type item struct {
	record *record
	count  int       // how often it was leased
	holder *delivery // who has the lease, if it is leased
	expiry *event    // when the lease runs out
	gone   *delivery // who acked it
}

// queue returns the queue of a service's commands, or with "" that of the starts.
func (j *Journal) queue(service string) *queue {
	q := j.queues[service]
	if q == nil {
		q = &queue{j: j, id: mix(digest(service))}
		j.queues[service] = q
	}
	return q
}

// offer lets a message enter its queue after a while.
func (j *Journal) offer(q *queue, it *item) { j.offerAfter(q, it, 0) }

func (j *Journal) offerAfter(q *queue, it *item, delay time.Duration) {
	id := it.id()
	j.afterUp(delay+j.travel(toOffer, id), id, func() {
		if it.record.gone {
			return
		}
		q.ready = append(q.ready, it)
		q.match()
	})
}

// id is what the next delivery of the message is to chance.
func (it *item) id() uint64 { return mix(it.record.id ^ uint64(it.count)) }

// matchSoon matches after a while, so that of several workers that begin to wait
// at one instant it is not the first who gets the message.
func (q *queue) matchSoon() {
	if q.matching || len(q.ready) == 0 {
		return
	}
	q.matching = true
	q.j.afterUp(q.j.travel(toMatch, q.id), q.id, func() {
		q.matching = false
		q.match()
	})
}

// match leases one message to one worker, if there are both, and comes back for
// more: one event wakes one worker.
func (q *queue) match() {
	if len(q.ready) == 0 {
		return
	}
	i := 0
	first := q.ready[0].id()
	if q.j.happens(q.j.config.Faults.Reorder, reorder, first) {
		i = int(q.j.chance.draw(pick, first, q.j.instant()) % uint64(len(q.ready)))
	}
	w := q.choose(q.ready[i].id())
	if w == nil {
		return
	}
	it := q.ready[i]
	q.ready = slices.Delete(q.ready, i, i+1)
	q.lease(it, w)
	q.matchSoon()
}

// choose picks among the workers that wait for a message and may have one more.
func (q *queue) choose(id uint64) *worker {
	var best *worker
	var low uint64
	for _, w := range q.workers {
		if !w.wants() {
			continue
		}
		if draw := q.j.chance.draw(pick, id, w.id); best == nil || draw < low {
			best, low = w, draw
		}
	}
	return best
}

// lease gives a message to a worker.
func (q *queue) lease(it *item, w *worker) {
	j, id := q.j, it.id()
	it.count++
	d := &delivery{queue: q, item: it, worker: w, count: it.count}
	it.holder = d
	w.leased++
	it.expiry = j.afterUp(j.config.Lease, id, func() { q.expire(d) })
	j.trace("leased to "+w.client.name, it.record.Subject, uint64(it.count))
	if j.happens(j.config.Faults.Duplicate, duplicate, id) {
		j.afterUp(j.travel(toRepeat, id), id, func() { q.repeat(d) })
	}
	if f := j.config.Faults; j.happens(f.Delay, stall, uint64(toReach), id) {
		w.coming++
		epoch := j.epoch
		j.after(time.Duration(j.chance.draw(stallBy, uint64(toReach), id)%uint64(f.MaxDelay)), id, func() {
			w.coming--
			if epoch == j.epoch {
				w.receive(d)
			}
		})
		return
	}
	w.receive(d)
}

// repeat takes a lease away long before its time, as a broker does that has
// changed its leader and forgotten whom it had asked.
func (q *queue) repeat(d *delivery) {
	if d.item.holder != d {
		return
	}
	q.j.trace("duplicated", d.item.record.Subject, uint64(d.count))
	q.giveBack(d, 0)
}

func (q *queue) expire(d *delivery) {
	q.j.trace("expired", d.item.record.Subject, uint64(d.count))
	q.giveBack(d, 0)
}

// giveBack ends a lease; the message comes again after the delay.
func (q *queue) giveBack(d *delivery, delay time.Duration) {
	q.release(d)
	q.j.offerAfter(q, d.item, delay)
}

// remove ends a lease for good.
func (q *queue) remove(d *delivery) {
	q.j.trace("acked", d.item.record.Subject, uint64(d.count))
	q.release(d)
	d.item.gone = d
	switch {
	case q == q.j.queues[""]:
		q.j.starts.bytes -= d.item.record.size // a work queue forgets what is done
	case q.j.config.Faults.Forgotten > 0:
		q.acked = append(q.acked, d.item.record)
	}
}

// drop takes messages that have left out of the queue. Those that are leased, or
// on their way into it, are dropped when they come back.
func (q *queue) drop() {
	q.ready = slices.DeleteFunc(q.ready, func(it *item) bool { return it.record.gone })
}

// crash brings back what was acked, as a broker does that had not written down
// that it was.
func (q *queue) crash() {
	for _, r := range q.acked {
		if q.j.happens(q.j.config.Faults.Forgotten, forget, r.id) {
			q.j.trace("forgotten", r.Subject, r.id)
			q.j.offer(q, &item{record: r})
		}
	}
	q.acked = nil
}

func (q *queue) release(d *delivery) {
	q.j.cancel(d.item.expiry)
	d.item.holder, d.item.expiry = nil, nil
	d.worker.leased--
	q.matchSoon()
}
