package participant

import (
	"context"
	"time"

	"segue/events"
	"segue/journal"
)

const (
	// fresh is how long ago a command was stored, by the journal's time, that can
	// only be here for the first time: less than a broker needs to start again.
	fresh = 100 * time.Millisecond
	// lookTimeout bounds the look for an outcome.
	lookTimeout = 5 * time.Second
)

// answered says that a command has its outcome already, so that to work on it
// would be to no end and might do what a failure says was not done. A broker
// that was killed may have forgotten that a command was acked, and even that it
// was delivered; so an old command is looked after whatever its count says.
//
// Without an answer the command is handled: handlers bear to be asked twice.
func (r *runner) answered(ctx context.Context, command events.Subject, d journal.Delivery, log *attemptLog) bool {
	if d.Count() == 1 && r.clock.Now().Sub(d.Stored()) < fresh {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	outcomes, err := r.Journal.Load(ctx, command.With(events.KindOutcome).String())
	if err != nil {
		log.line().Warn("outcome could not be looked up; the command is handled", "error", err)
		return false
	}
	if len(outcomes) > 0 {
		log.line().Info("command has its outcome already", "delivery", d.Count())
	}
	return len(outcomes) > 0
}
