// Package objectstore keeps documents in JetStream's object store.
//
// A bucket is a stream, laid out as ADR-20 of NATS says, so that `nats object`
// reads what is written here and the other way round:
//
//	$O.<bucket>.M.<name in base64url>  => the object's info as JSON; each replaces the one before
//	$O.<bucket>.C.<nuid>               => its bytes, in chunks of [ChunkSize]; the info names the nuid
//
// The layout is the client library's, the code is not. Its Put (nats.go 1.55.0)
// publishes the info without waiting for the chunks, so that a full bucket can
// end up with an info of chunks it refused; publishes a chunk again, when nobody
// answers, from a buffer that holds the next one by then; and leaves chunks
// behind when its context ends. Its Get gives a reader five seconds. Here
//
//   - the info follows when every chunk is on disk, and only replaces the info it
//     means to replace, so that each version's chunks are removed by who replaced it;
//   - a Put that fails removes its chunks, whatever became of its context;
//   - a reader asks for [window] chunks at a time and keeps nothing at the broker.
//
// A program needs these permissions: publish $O.<bucket>.>,
// $JS.API.STREAM.INFO.OBJ_<bucket>, $JS.API.STREAM.MSG.GET.OBJ_<bucket>,
// $JS.API.DIRECT.GET.OBJ_<bucket>, $JS.API.STREAM.PURGE.OBJ_<bucket>; subscribe to
// its inbox. Without the first and the last it can read.
package objectstore

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"segue/document"
)

const (
	// ChunkSize is how many bytes of an object make one message, unless the broker
	// takes smaller ones only.
	ChunkSize = 128 << 10
	// window is how many chunks are under way at a time, in either direction: with
	// those of the client's own buffers about 4 MiB for an object being read or
	// written, however large it is.
	window = 16
	// requestTimeout bounds one request to the broker.
	requestTimeout = 10 * time.Second
	// maxName is the longest name, in bytes: encoded it has to fit a subject.
	maxName = 1024
)

// Store is one bucket.
type Store struct {
	nc     *nats.Conn
	js     jetstream.JetStream
	bucket string
	chunk  int // size of a chunk, in bytes
}

var _ document.Store = (*Store)(nil)

// Open opens a bucket, which must exist; package journal/jetstream declares
// those of Segue. There is nothing to close: the store ends with the connection.
func Open(ctx context.Context, nc *nats.Conn, bucket string) (*Store, error) {
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncTimeout(requestTimeout))
	if err != nil {
		return nil, fmt.Errorf("open document store %s: %w", bucket, err)
	}
	s := &Store{nc: nc, js: js, bucket: bucket, chunk: ChunkSize}
	switch err = s.find(ctx); {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return nil, fmt.Errorf("document store %s does not exist: start an orchestrator or `segue up` first", bucket)
	case err != nil:
		return nil, fmt.Errorf("open document store %s: %w", bucket, err)
	}
	if limit := int(nc.MaxPayload()) - 1<<10; limit > 0 { // a little for headers
		s.chunk = min(s.chunk, limit)
	}
	return s, nil
}

// findTries is how often a bucket is asked for of a broker that does not answer.
// It may be choosing a leader.
const findTries = 3

// find asks whether the bucket exists. A broker that goes away meanwhile is waited
// for until ctx is done.
func (s *Store) find(ctx context.Context) error {
	for try := 1; ; try++ {
		before := s.nc.Stats().Reconnects
		err := s.ask(ctx)
		switch {
		case err == nil, ctx.Err() != nil, s.nc.IsClosed(), errors.Is(err, jetstream.ErrStreamNotFound):
			return err
		case !s.nc.IsConnected() || s.nc.Stats().Reconnects != before:
			try = 0
		case try == findTries:
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lastPause):
		}
	}
}

func (s *Store) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	_, err := s.js.Stream(ctx, s.stream())
	return err
}

func (s *Store) stream() string { return "OBJ_" + s.bucket }

func (s *Store) infoSubject(name string) string {
	return "$O." + s.bucket + ".M." + base64.URLEncoding.EncodeToString([]byte(name))
}

func (s *Store) chunkSubject(nuid string) string { return "$O." + s.bucket + ".C." + nuid }

// Stat returns the Ref of an object.
func (s *Store) Stat(ctx context.Context, name string) (document.Ref, error) {
	v, err := s.look(ctx, name)
	if err != nil {
		return document.Ref{}, fmt.Errorf("look at document %s: %w", name, err)
	}
	return v.ref(), nil
}

// Delete removes an object: first its info, then its chunks. It removes the
// chunks also if the info is gone already, in case an earlier Delete broke off.
func (s *Store) Delete(ctx context.Context, name string) error {
	for range maxRaces {
		v, err := s.version(ctx, name)
		if err == nil && v.sequence > 0 && !v.Deleted {
			v.Deleted, v.Size, v.Chunks, v.Digest = true, 0, 0, ""
			err = s.replace(ctx, &v)
		}
		if err == nil && v.sequence > 0 {
			err = s.purge(ctx, v.NUID)
		}
		switch {
		case errors.Is(err, errRaced):
			continue
		case err != nil:
			return fmt.Errorf("delete document %s: %w", name, err)
		}
		return nil
	}
	return fmt.Errorf("delete document %s: %w", name, errRaced)
}

// version is what a name stands for at a time.
type version struct {
	jetstream.ObjectInfo
	sequence uint64 // of its info in the stream; 0 if the name was never used
}

// ref returns the Ref of the version. A digest that cannot be read becomes one
// that matches nothing.
func (v version) ref() document.Ref {
	digest, _ := jetstream.DecodeObjectDigest(v.Digest)
	return document.Ref{Bucket: v.Bucket, Name: v.Name, SHA256: hex.EncodeToString(digest), Size: int64(v.Size)}
}

// look returns the version that a name stands for now.
func (s *Store) look(ctx context.Context, name string) (version, error) {
	v, err := s.version(ctx, name)
	if err == nil && (v.sequence == 0 || v.Deleted) {
		err = document.ErrNotFound
	}
	return v, err
}

// version reads the info of a name, deleted ones too. It asks the leader of the
// stream: the nearest replica, which the client library asks, may not have yet
// what another process has put and told of.
func (s *Store) version(ctx context.Context, name string) (version, error) {
	if name == "" || len(name) > maxName {
		return version{}, fmt.Errorf("a name has 1 to %d bytes, this one has %d", maxName, len(name))
	}
	return s.info(ctx, map[string]any{"last_by_subj": s.infoSubject(name)})
}

// List returns the Refs of all objects, in the order in which they were last put.
// Each costs a request.
func (s *Store) List(ctx context.Context) ([]document.Ref, error) {
	var list []document.Ref
	for sequence := uint64(1); ; {
		v, err := s.info(ctx, map[string]any{"seq": sequence, "next_by_subj": "$O." + s.bucket + ".M.>"})
		switch {
		case err != nil:
			return nil, fmt.Errorf("list documents of %s: %w", s.bucket, err)
		case v.sequence == 0:
			return list, nil
		case !v.Deleted:
			list = append(list, v.ref())
		}
		sequence = v.sequence + 1
	}
}

// info asks the leader of the stream for one info; its sequence is 0 if there is none.
func (s *Store) info(ctx context.Context, which map[string]any) (version, error) {
	request, err := json.Marshal(which)
	if err != nil {
		return version{}, err
	}
	var reply struct {
		Error   *jetstream.APIError `json:"error"`
		Message struct {
			Sequence uint64 `json:"seq"`
			Data     []byte `json:"data"`
		} `json:"message"`
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	m, err := s.nc.RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET."+s.stream(), request)
	if err == nil {
		err = json.Unmarshal(m.Data, &reply)
	}
	switch {
	case err != nil:
		return version{}, err
	case reply.Error != nil && reply.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound:
		return version{}, nil
	case reply.Error != nil:
		return version{}, reply.Error
	}
	v := version{sequence: reply.Message.Sequence}
	if err := json.Unmarshal(reply.Message.Data, &v.ObjectInfo); err != nil {
		return version{}, fmt.Errorf("read info: %w", err)
	}
	return v, nil
}

const (
	// maxRaces bounds how often a change of a name is tried again because another
	// came between.
	maxRaces = 10
	// codeWrongSequence is the server's "wrong last sequence", codeMovingOn the same in a
	// cluster while the other change is on its way.
	codeWrongSequence = jetstream.JSErrCodeStreamWrongLastSequence
	codeMovingOn      = jetstream.JSErrCodeStreamWrongLastSequenceConstant
	// codeStoreFailed is told apart by its text, see package journal/jetstream.
	codeStoreFailed jetstream.ErrorCode = 10077
	codeAccountFull jetstream.ErrorCode = 10002 // resource limits exceeded for account
	codeServerFull  jetstream.ErrorCode = 10023 // insufficient resources
)

// errRaced says that a name stands for another version than the one to replace.
var errRaced = errors.New("the document is being changed by another")

// replace stores the info of a version in place of the one with its sequence.
func (s *Store) replace(ctx context.Context, v *version) error {
	v.ModTime = time.Time{} // readers take the stream's
	data, err := json.Marshal(v.ObjectInfo)
	if err != nil {
		return err
	}
	m := nats.NewMsg(s.infoSubject(v.Name))
	m.Data = data
	m.Header.Set(jetstream.MsgRollup, jetstream.MsgRollupSubject)
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	ack, err := s.js.PublishMsg(ctx, m, jetstream.WithExpectLastSequencePerSubject(v.sequence))
	if api := new(jetstream.APIError); errors.As(err, &api) && (api.ErrorCode == codeWrongSequence || api.ErrorCode == codeMovingOn) {
		return errRaced
	}
	if err != nil {
		return verdict(err)
	}
	v.sequence = ack.Sequence
	return nil
}

// purge removes the chunks of a version.
func (s *Store) purge(ctx context.Context, nuid string) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	request, err := json.Marshal(jetstream.StreamPurgeRequest{Subject: s.chunkSubject(nuid)})
	if err != nil {
		return err
	}
	var reply struct {
		Error *jetstream.APIError `json:"error"`
	}
	m, err := s.nc.RequestWithContext(ctx, "$JS.API.STREAM.PURGE."+s.stream(), request)
	if err == nil {
		err = json.Unmarshal(m.Data, &reply)
	}
	if err == nil && reply.Error != nil {
		err = reply.Error
	}
	if err != nil {
		return fmt.Errorf("remove chunks: %w", err)
	}
	return nil
}

// verdict turns the error of a publish into the terms of package document.
func verdict(err error) error {
	api := new(jetstream.APIError)
	switch {
	case err == nil || !errors.As(err, &api):
		return err
	case api.ErrorCode == codeStoreFailed && strings.Contains(api.Description, "maximum bytes exceeded"),
		api.ErrorCode == codeAccountFull, api.ErrorCode == codeServerFull:
		return fmt.Errorf("%w: %w", document.ErrFull, err)
	}
	return err
}
