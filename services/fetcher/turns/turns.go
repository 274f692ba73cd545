// Package turns keeps the limits of hosts in a KV bucket, so that they hold over
// all fetchers on one broker:
//
//	SAGA_HOSTS  <host>/<port> => who is there, and when the next may come
//
// `nats kv get SAGA_HOSTS example.org/443` shows it. A host that cannot be a key as it
// is, such as one with a colon, stands there in base64url with "=" before it.
//
// A program needs these permissions: publish $KV.SAGA_HOSTS.>,
// $JS.API.STREAM.INFO.KV_SAGA_HOSTS, $JS.API.DIRECT.GET.KV_SAGA_HOSTS.>; subscribe to
// its inbox.
package turns

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"segue/services/fetcher/fetch"
)

// Bucket is the KV bucket; package journal/jetstream declares it.
const Bucket = "SAGA_HOSTS"

const (
	// requestTimeout bounds one request to the broker.
	requestTimeout = 5 * time.Second
	// clockTTL is how long the broker's time is counted on before it is asked again.
	clockTTL = time.Minute
	// maxKey is the longest host that is a key, in bytes.
	maxKey = 300
)

// Board is the bucket.
type Board struct {
	kv jetstream.KeyValue

	mu    sync.Mutex
	asked time.Time // here
	said  time.Time // by the broker
}

var _ fetch.Board = (*Board)(nil)

// Open opens the bucket, which must exist. There is nothing to close: the board
// ends with the connection.
func Open(ctx context.Context, nc *nats.Conn) (*Board, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", Bucket, err)
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	kv, err := js.KeyValue(ctx, Bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return nil, fmt.Errorf("bucket %s does not exist: start an orchestrator or `segue up` of this version first", Bucket)
	}
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", Bucket, err)
	}
	return &Board{kv: kv}, nil
}

// Read implements [fetch.Board].
func (b *Board) Read(ctx context.Context, host string) ([]byte, uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	entry, err := b.kv.Get(ctx, key(host))
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		return nil, 0, nil
	case err != nil:
		return nil, 0, fmt.Errorf("read bucket %s: %w", Bucket, err)
	}
	return entry.Value(), entry.Revision(), nil
}

// Write implements [fetch.Board].
func (b *Board) Write(ctx context.Context, host string, note []byte, revision uint64) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	var err error
	if revision == 0 {
		_, err = b.kv.Create(ctx, key(host), note)
	} else {
		_, err = b.kv.Update(ctx, key(host), note, revision)
	}
	switch {
	case errors.Is(err, jetstream.ErrKeyExists), errors.Is(err, jetstream.ErrKeyRevisionMismatch):
		return fetch.ErrRaced
	case err != nil:
		return fmt.Errorf("write bucket %s: %w", Bucket, err)
	}
	return nil
}

// Now implements [fetch.Board]: the broker's time, never ahead of it, whatever the
// clock of this machine says.
func (b *Board) Now(ctx context.Context) (time.Time, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.asked.IsZero() || time.Since(b.asked) > clockTTL {
		ctx, cancel := context.WithTimeout(ctx, requestTimeout)
		defer cancel()
		status, err := b.kv.Status(ctx)
		if err != nil {
			return time.Time{}, fmt.Errorf("ask the broker for the time: %w", err)
		}
		bucket, ok := status.(*jetstream.KeyValueBucketStatus)
		if !ok {
			return time.Time{}, fmt.Errorf("ask the broker for the time: status is %T", status) // unreachable unless nats.go changes
		}
		b.asked, b.said = time.Now(), bucket.StreamInfo().TimeStamp
	}
	return b.said.Add(time.Since(b.asked)), nil
}

// plain is a host that can be a key as it is.
var plain = regexp.MustCompile(`^[a-z0-9-]([a-z0-9.-]*[a-z0-9-])?$`)

// key returns the key of host:port.
func key(hostport string) string {
	hostport = strings.ToLower(hostport)
	if host, port, err := net.SplitHostPort(hostport); err == nil && len(hostport) <= maxKey && plain.MatchString(host) && plain.MatchString(port) && !strings.Contains(host, "..") {
		return host + "/" + port
	}
	if len(hostport) > maxKey { // no host that there is; a subject of any length would cost the connection
		sum := sha256.Sum256([]byte(hostport))
		hostport = string(sum[:])
	}
	return "=" + base64.RawURLEncoding.EncodeToString([]byte(hostport))
}
