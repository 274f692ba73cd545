package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"segue/events"
	"segue/journal"
)

const (
	// loadPage is how many messages of one request the server may send, and
	// loadBytes about how many bytes: what the client takes in without losing any.
	loadPage  = 1000
	loadBytes = 8 << 20
)

// Load asks for all messages in one request (ADR-31). What does not come that way
// (many runs, over 1,024 subjects, more than loadBytes, purged meanwhile) is
// followed, which takes a consumer. One subject that is written once, without
// wildcards, is asked for by its name, so that permission can be given for some.
// What is not there costs the broker a look into its index, none onto its disk.
//
// In a cluster any server with a copy of the stream answers; one that lags behind
// does not know of messages stored a moment ago.
func (j *Journal) Load(ctx context.Context, filter string) ([]journal.Record, error) {
	root, err := readable(filter)
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	var records []journal.Record
	err = j.patiently(ctx, "load "+filter, func(ctx context.Context) error {
		var err error
		records, err = j.loadAtOnce(ctx, root, filter)
		return err
	})
	if errors.Is(err, errPart) {
		return journal.Load(ctx, j, filter)
	}
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", filter, err)
	}
	return records, nil
}

func (j *Journal) loadAtOnce(ctx context.Context, root root, filter string) ([]journal.Record, error) {
	wild := func(token string) bool { return token == "*" || token == ">" }
	tokens := strings.Split(filter, ".")
	switch {
	case !root.once:
		return j.loadPage(ctx, root.stream, directGet{Seq: 1, Next: filter, Batch: loadPage, MaxBytes: loadBytes})
	case !slices.ContainsFunc(tokens, wild):
		return j.loadOne(ctx, root.stream, filter)
	case root.stream == HistoryStream && len(tokens) == root.narrow+1 && !wild(tokens[root.narrow]):
		return j.kept.find(ctx, filter)
	case len(tokens) > root.narrow && !wild(tokens[root.narrow]): // the last message of each subject is the only one
		return j.loadPage(ctx, root.stream, directGet{Last: []string{filter}, MaxBytes: loadBytes})
	default:
		return nil, errPart
	}
}

// directGet is a request to read messages of a stream.
type directGet struct {
	Seq      uint64   `json:"seq,omitempty"`          // from here on
	Next     string   `json:"next_by_subj,omitempty"` // what matches this filter
	Batch    int      `json:"batch,omitempty"`        // so many
	Last     []string `json:"multi_last,omitempty"`   // or the last one of each subject that matches
	MaxBytes int      `json:"max_bytes,omitempty"`
}

// errPart says that a request did not bring all there is.
var errPart = errors.New("the messages do not come in one answer")

// loadOne reads the one message of a subject.
func (j *Journal) loadOne(ctx context.Context, stream, subject string) ([]journal.Record, error) {
	m, err := j.nc.RequestWithContext(ctx, "$JS.API.DIRECT.GET."+stream+"."+subject, nil)
	if errors.Is(err, nats.ErrNoResponders) {
		return nil, errPart // the stream does not answer direct requests, or is not there
	}
	if err != nil {
		return nil, err
	}
	r, status, err := answered(m, directHeaderNames)
	switch {
	case err != nil:
		return nil, err
	case status == statusNone:
		return nil, nil
	case status != "":
		return nil, errPart
	}
	return []journal.Record{r}, nil
}

// loadPage reads what one request brings, and returns errPart unless that is all.
func (j *Journal) loadPage(ctx context.Context, stream string, request directGet) ([]journal.Record, error) {
	data, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	answers := make(chan *nats.Msg, loadPage+wordsRoom)
	inbox, err := j.nc.ChanSubscribe(j.nc.NewInbox(), answers)
	if err != nil {
		return nil, err
	}
	defer func() { _ = inbox.Unsubscribe() }() // fails only when the connection is closed
	if err := j.nc.PublishRequest("$JS.API.DIRECT.GET."+stream, inbox.Subject, data); err != nil {
		return nil, err
	}
	var records []journal.Record
	for {
		var m *nats.Msg
		select {
		case m = <-answers:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		r, status, err := answered(m, batchAnswerHeaderNames)
		switch {
		case err != nil:
			return nil, err
		case status == "":
			records = append(records, r)
		case status == statusNone && len(records) == 0:
			return nil, nil
		case status == statusEnd && m.Header.Get(pendingHeader) == "0":
			return records, nil
		default:
			return nil, errPart
		}
	}
}

// The statuses of an answer that holds no message, and what the server adds to
// the header of one that does.
const (
	statusEnd     = "204"
	statusNone    = "404"
	statusHeader  = "Status"
	pendingHeader = "Nats-Num-Pending"
)

var directHeaderNames = []string{jetstream.StreamHeader, jetstream.SubjectHeader, jetstream.SequenceHeader, jetstream.TimeStampHeaer}

var batchAnswerHeaderNames = append(slices.Clone(directHeaderNames), pendingHeader, jetstream.LastSequenceHeader)

// answered takes the answer to a direct request apart: a message, or a status.
// The headers of the server come behind those that were stored, whoever chose
// their names: a message is what has the server's Nats-Subject, whatever status
// it claims to be.
func answered(m *nats.Msg, added []string) (r journal.Record, status string, err error) {
	if len(m.Header[jetstream.SubjectHeader]) == 0 {
		return r, m.Header.Get(statusHeader), nil
	}
	own := make(map[string]string, len(added))
	for _, name := range added {
		values := m.Header[name]
		if last := len(values) - 1; last > 0 {
			own[name], m.Header[name] = values[last], values[:last]
		} else if last == 0 {
			own[name] = values[0]
			delete(m.Header, name)
		}
	}
	for _, name := range ownHeaderNames {
		delete(m.Header, name)
	}
	r.Message = events.Message{Subject: own[jetstream.SubjectHeader], Header: events.Header(m.Header), Data: m.Data}
	if r.Sequence, err = strconv.ParseUint(own[jetstream.SequenceHeader], 10, 64); err != nil {
		return r, "", fmt.Errorf("read sequence of %s: %w", r.Subject, err)
	}
	if r.Stored, err = time.Parse(time.RFC3339Nano, own[jetstream.TimeStampHeaer]); err != nil {
		return r, "", fmt.Errorf("read timestamp of %s: %w", r.Subject, err)
	}
	return r, "", nil
}
