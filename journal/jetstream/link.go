package jetstream

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// link follows the state of the connection. A request is gone when the
// connection is, and nothing tells but its time-out; so requests are made in a
// session, which ends when the connection breaks.
type link struct {
	mu      sync.Mutex
	session context.Context // of the current connection; done while there is none
	end     context.CancelFunc
	up      chan struct{} // closed when the next session begins
	closed  chan struct{} // closed when there will be no further one
}

func newLink(j *Journal) *link {
	l := &link{up: make(chan struct{}), closed: make(chan struct{})}
	l.session, l.end = context.WithCancel(context.Background())
	l.end()
	changes := j.nc.StatusChanged(nats.CONNECTED, nats.RECONNECTING, nats.CLOSED)
	if j.nc.IsConnected() {
		l.begin()
	}
	j.busy.Go(func() {
		defer j.nc.RemoveStatusListener(changes)
		defer close(l.closed)
		defer l.broke()
		if j.nc.IsClosed() {
			return
		}
		for {
			select {
			case <-j.ctx.Done():
				return
			case status, open := <-changes:
				switch {
				case !open || status == nats.CLOSED:
					return
				case status == nats.CONNECTED:
					l.broke()
					l.begin()
				default:
					l.broke()
				}
			}
		}
	})
	return l
}

func (l *link) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.session, l.end = context.WithCancel(context.Background())
	close(l.up)
	l.up = make(chan struct{})
}

func (l *link) broke() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end()
}

// current returns the session there is, and what is closed when the next begins.
func (l *link) current() (session context.Context, up <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.session, l.up
}

// connected waits for a connection and returns its session. It returns the error
// of ctx if that ends before, and nats.ErrConnectionClosed if there will be no
// connection.
func (l *link) connected(ctx context.Context) (session context.Context, err error) {
	for {
		session, up := l.current()
		if session.Err() == nil {
			return session, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-l.closed:
			return nil, nats.ErrConnectionClosed
		case <-up:
		}
	}
}

// soon is connected that waits for requestTimeout at most.
func (l *link) soon(ctx context.Context) (session context.Context, err error) {
	if session, _ := l.current(); session.Err() == nil {
		return session, nil
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return l.connected(ctx)
}

// within is connected with a context that ends with the connection, and with ctx.
func (l *link) within(ctx context.Context) (context.Context, context.CancelFunc, error) {
	session, err := l.connected(ctx)
	if err != nil {
		return nil, nil, err
	}
	both, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(session, cancel)
	return both, func() { stop(); cancel() }, nil
}

// online makes a request, of at most requestTimeout, as soon as there is a
// connection. It returns nats.ErrDisconnected if that breaks before the answer.
func (l *link) online(ctx context.Context, request func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	session, done, err := l.within(ctx)
	if err != nil {
		return err
	}
	defer done()
	if err = request(session); err != nil && session.Err() != nil && ctx.Err() == nil {
		return nats.ErrDisconnected
	}
	return err
}

// backoff waits longer from time to time: 50 ms, 100 ms ... 2 s, each with up to
// a fifth more so that many clients do not come at once.
type backoff struct{ last time.Duration }

const (
	firstPause = 50 * time.Millisecond
	maxPause   = 2 * time.Second
)

func (b *backoff) sleep(ctx context.Context) error {
	b.last = min(max(2*b.last, firstPause), maxPause)
	t := time.NewTimer(b.last + rand.N(b.last/5))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
