//go:build unix

package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"segue/events"
	"segue/journal"
)

// Limits of a client.
const (
	publishTimeout = 2 * time.Second // for one try
	readTimeout    = time.Minute     // for all that a stream holds
	maxAnswer      = 4 << 20         // of an operations endpoint, in bytes
)

// Client is a client of the broker beside those under test.
type Client struct {
	JS jetstream.JetStream
	// Refused counts what the broker refused to store because a stream was full.
	Refused atomic.Int64
}

// Dial connects to a broker, now or as soon as it is there, and for good.
func Dial(url string) (*Client, error) {
	nc, err := nats.Connect(url, nats.Name("faults"), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond), nats.RetryOnFailedConnect(true),
		nats.PingInterval(time.Second), nats.MaxPingsOutstanding(2)) // a broker that says nothing is given up soon
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", url, err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		nc.Close()
		return nil, err
	}
	return &Client{JS: js}, nil
}

// Close ends the connection.
func (c *Client) Close() { c.JS.Conn().Close() }

// Publish publishes until the broker has acked the message: stored now, or earlier.
func (c *Client) Publish(ctx context.Context, m events.Message) error {
	return Await(ctx, func() error {
		err := c.TryPublish(ctx, m)
		if api := new(jetstream.APIError); errors.As(err, &api) {
			switch {
			case strings.Contains(api.Description, "maximum messages per subject"):
				return nil
			case strings.Contains(api.Description, "maximum bytes"):
				c.Refused.Add(1)
			}
		}
		return err
	})
}

// TryPublish publishes once. Nil says that the broker has the message.
func (c *Client) TryPublish(ctx context.Context, m events.Message) error {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	_, err := c.JS.PublishMsg(ctx, &nats.Msg{Subject: m.Subject, Header: nats.Header(m.Header), Data: m.Data}, jetstream.WithRetryAttempts(0))
	if err != nil {
		return fmt.Errorf("publish on %s: %w", m.Subject, err)
	}
	return nil
}

// Info returns a stream as it is now.
func (c *Client) Info(ctx context.Context, stream string) (jetstream.Stream, *jetstream.StreamInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	s, err := c.JS.Stream(ctx, stream)
	if err != nil {
		return nil, nil, fmt.Errorf("look at stream %s: %w", stream, err)
	}
	return s, s.CachedInfo(), nil
}

// Queue returns a durable consumer as it is now.
func (c *Client) Queue(ctx context.Context, stream, name string) (*jetstream.ConsumerInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	q, err := c.JS.Consumer(ctx, stream, name)
	if err != nil {
		return nil, fmt.Errorf("look at queue %s: %w", name, err)
	}
	return q.CachedInfo(), nil
}

// Read hands all that a stream holds on subjects that match a filter to see, in order.
func (c *Client) Read(ctx context.Context, stream, filter string, see func(journal.Record) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readTimeout, fmt.Errorf("stream %s was not read within %v", stream, readTimeout))
	defer cancel()
	s, err := c.whole(ctx, stream)
	if err != nil {
		return err
	}
	consumer, err := s.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{FilterSubjects: []string{filter}})
	if err != nil {
		return fmt.Errorf("read stream %s: %w", stream, err)
	}
	found, err := consumer.Info(ctx)
	if err != nil {
		return fmt.Errorf("read stream %s: %w", stream, err)
	}
	if found.NumPending == 0 {
		return nil
	}
	messages, err := consumer.Messages()
	if err != nil {
		return fmt.Errorf("read stream %s: %w", stream, err)
	}
	defer messages.Stop()
	for range found.NumPending {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return fmt.Errorf("read stream %s: %w", stream, err)
		}
		r, err := record(m)
		if err == nil {
			err = see(r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// whole returns a stream when all its copies hold the same. In a cluster a consumer may be
// at a server that has been away, and would count less than there is as all.
func (c *Client) whole(ctx context.Context, stream string) (s jetstream.Stream, err error) {
	err = Await(ctx, func() error {
		var info *jetstream.StreamInfo
		if s, info, err = c.Info(ctx, stream); err != nil || info.Cluster == nil {
			return err
		}
		for _, peer := range info.Cluster.Replicas {
			if !peer.Current || peer.Lag > 0 {
				return fmt.Errorf("the copy of stream %s on server %s is %d operations behind", stream, peer.Name, peer.Lag)
			}
		}
		return nil
	})
	return s, err
}

func record(m jetstream.Msg) (journal.Record, error) {
	meta, err := m.Metadata()
	if err != nil {
		return journal.Record{}, err
	}
	return journal.Record{
		Message:  events.Message{Subject: m.Subject(), Header: events.Header(m.Headers()), Data: m.Data()},
		Sequence: meta.Sequence.Stream, Stored: meta.Timestamp,
	}, nil
}

// Drained says whether no start and no command is left in any queue.
func (c *Client) Drained(ctx context.Context) error {
	_, info, err := c.Info(ctx, "SAGA_STARTS")
	if err != nil {
		return err
	}
	if info.State.Msgs > 0 {
		return fmt.Errorf("%d starts are left", info.State.Msgs)
	}
	for _, stream := range []string{"SAGA_STARTS", "SAGA_RUNS"} {
		s, _, err := c.Info(ctx, stream)
		if err != nil {
			return err
		}
		consumers := s.ListConsumers(ctx)
		for q := range consumers.Info() {
			if q.Config.Durable != "" && (q.NumPending > 0 || q.NumAckPending > 0) {
				return fmt.Errorf("queue %s: %d messages wait, %d are out", q.Name, q.NumPending, q.NumAckPending)
			}
		}
		if err := consumers.Err(); err != nil {
			return err
		}
	}
	return nil
}

// get asks an http endpoint on loopback.
func get(ctx context.Context, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := httpClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(response.Status)
	}
	return strings.TrimSpace(string(text)), err
}

// httpClient asks operations endpoints; nothing of the environment's proxies.
var httpClient = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
