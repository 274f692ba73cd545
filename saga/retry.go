package saga

import (
	"encoding/binary"
	"hash/fnv"
	"time"

	"segue/events"
)

// Delay returns how long to wait before the attempt that follows failures
// failed ones, from 1. It is Backoff, doubled with each failure after the first
// up to Max, and then between half and all of that: the jitter is a function of
// run, step and attempt, so that whoever computes it gets the same instant, and
// runs that fail together do not come back together.
func (p Policy) Delay(run, step string, next events.Attempt, failures int) time.Duration {
	delay := p.Backoff
	for i := 1; i < failures && delay < p.Max; i++ {
		delay *= 2
	}
	delay = min(delay, p.Max)
	half := delay / 2
	return delay - time.Duration(fraction(run, step, next)*float64(half)).Truncate(time.Millisecond)
}

// fraction maps an attempt to [0, 1), evenly.
func fraction(run, step string, a events.Attempt) float64 {
	h := fnv.New64a()
	for _, s := range []string{run, "/", step, "/", a.String()} {
		h.Write([]byte(s)) //nolint:errcheck // never fails
	}
	// FNV leaves the high bits of short inputs alike; a second round spreads them.
	sum := binary.BigEndian.AppendUint64(nil, h.Sum64())
	h.Write(sum) //nolint:errcheck // never fails
	return float64(h.Sum64()>>11) / (1 << 53)
}
