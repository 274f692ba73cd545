package jetstream

import (
	"context"
	"errors"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"segue/journal"
)

// TestVerdicts holds what becomes of each answer to a publish.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	api := func(status int, code jetstream.ErrorCode, text string) error {
		return &jetstream.APIError{Code: status, ErrorCode: code, Description: text}
	}
	const (
		stored = "the subject holds a message"
		again  = "is tried again"
		final  = "is an error"
	)
	for name, c := range map[string]struct {
		err  error
		want string
		is   error
	}{
		"acked":                       {nil, stored, nil},
		"occupied":                    {api(503, 10077, "maximum messages per subject exceeded"), again, errOccupied},
		"taken":                       {api(400, 10071, "wrong last sequence: 7"), stored, nil},
		"taken at a round sequence":   {api(400, 10071, "wrong last sequence: 10"), stored, nil},
		"a store that cannot be read": {api(400, 10071, "wrong last sequence: 0"), again, nil},
		"another on its way":          {api(400, 10164, "wrong last sequence"), again, nil},
		"the same id on its way":      {api(409, 10158, "duplicate message id is in process"), again, nil},
		"full":                        {api(503, 10077, "maximum bytes exceeded"), final, journal.ErrFull},
		"too large":                   {nats.ErrMaxPayload, final, journal.ErrTooLarge},
		"too large for the stream":    {api(400, 10054, "message size exceeds maximum allowed"), final, journal.ErrTooLarge},
		"another refusal":             {api(400, 10003, "bad request"), final, nil},
		"no leader":                   {nats.ErrNoResponders, again, nil},
		"no answer":                   {context.DeadlineExceeded, again, nil},
		"closed":                      {nats.ErrConnectionClosed, final, journal.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := verdict(c.err)
			got := final
			switch {
			case err == nil:
				got = stored
			case passing(err):
				got = again
			}
			if got != c.want || c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("%v %s, want that it %s (%v)", c.err, got, c.want, c.is)
			}
		})
	}
}
