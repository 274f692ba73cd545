package jetstream

import (
	"context"

	"segue/journal"
)

// DeclareQueues makes the queues of services exist, as [Open] does for those in its
// options. It is for services that become known later.
func (j *Journal) DeclareQueues(ctx context.Context, services []string) error {
	for _, service := range services {
		err := j.patiently(ctx, "declare the queue of "+service, func(ctx context.Context) error {
			return declareQueue(ctx, j.js, journal.Commands(service, 0), j.opts)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
