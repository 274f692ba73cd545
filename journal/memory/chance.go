package memory

import (
	"fmt"
	"time"

	"segue/events"
)

// chance decides by hashing. There is no state in it, so that the order in which
// goroutines ask changes nothing.
type chance struct{ seed uint64 }

// purpose keeps decisions about the same thing apart.
type purpose uint64

const (
	toArrive  purpose = iota + 1 // a request on its way to the broker
	toAnswer                     // an answer on its way back
	toShow                       // a record on its way to a feed
	toOffer                      // a message on its way into a queue
	toMatch                      // a worker's wish for a message
	toReach                      // a leased message on its way to a worker
	toLast                       // the time until a lease or a member ends
	toRepeat                     // a duplicate on its way
	lose                         // whether a request is lost
	loseReply                    // whether an answer is lost
	duplicate                    // whether a message is delivered twice
	reorder                      // whether a later message goes first
	pick                         // which of several
	stall                        // whether a message is delayed
	stallBy                      // and for how long
	forget                       // whether an ack is forgotten
)

// draw returns 64 bits for a decision about things, at an instant.
func (c chance) draw(p purpose, things ...uint64) uint64 {
	h := mix(c.seed ^ uint64(p)<<56)
	for _, t := range things {
		h = mix(h ^ t)
	}
	return h
}

// mix is the finalizer of SplitMix64: every bit of x changes half of the result.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// digest is FNV-1a of 64 bits.
func digest(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// identity is what a message is to chance: two messages on one subject differ.
func identity(m events.Message) uint64 {
	return mix(digest(m.Subject)^mix(digest(m.Header.Get("ce-id")))) ^ uint64(len(m.Data))
}

// happens says whether something with a probability from 0 to 1 happens now.
func (j *Journal) happens(probability float64, p purpose, things ...uint64) bool {
	if probability <= 0 {
		return false
	}
	bits := j.chance.draw(p, append(things, j.instant())...)
	return float64(bits>>11)/(1<<53) < probability
}

// travel returns how long a message is on the network from now.
func (j *Journal) travel(p purpose, thing uint64) time.Duration {
	var d time.Duration
	if j.config.Latency > 0 {
		d = 1 + time.Duration(j.chance.draw(p, thing, j.instant())%uint64(j.config.Latency))
	}
	if f := j.config.Faults; j.happens(f.Delay, stall, uint64(p), thing) {
		d += time.Duration(j.chance.draw(stallBy, uint64(p), thing, j.instant()) % uint64(f.MaxDelay))
	}
	return d
}

// instant is the time since the journal began, which in a bubble is the same in
// every run.
func (j *Journal) instant() uint64 { return uint64(time.Since(j.began)) }

// trace tells of something that happened to a message.
func (j *Journal) trace(what, subject string, n uint64) {
	if j.config.Trace != nil {
		j.config.Trace(fmt.Sprintf("%d %s %s %d", j.instant(), what, subject, n))
	}
}
