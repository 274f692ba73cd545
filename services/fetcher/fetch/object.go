package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"segue/document"
)

// openObject opens an object of a JetStream object store.
func (f *Fetcher) openObject(ctx context.Context, o *order) (*source, error) {
	at, bucket, name := place{o.url, o.url}, o.url.Host, objectName(o.url)
	if f.cfg.Objects == nil || !slices.Contains(f.cfg.AllowBuckets, bucket) {
		return nil, permanent(at, CodeAddressRefused, fmt.Errorf("bucket %s is not allowed; allow it with --allow-bucket %[1]s", bucket))
	}
	ctx, cancel := context.WithCancelCause(ctx)
	src, err := f.readObject(ctx, cancel, at, o, bucket, name)
	if err != nil {
		cancel(nil)
	}
	return src, err
}

func (f *Fetcher) readObject(ctx context.Context, cancel context.CancelCauseFunc, at place, o *order, bucket, name string) (*source, error) {
	store, err := f.cfg.Objects(ctx, bucket)
	if err != nil {
		return nil, at.wrap(err)
	}
	ref, err := store.Stat(ctx, name)
	if errors.Is(err, document.ErrNotFound) {
		return nil, permanent(at, CodeNotFound, errors.New("there is no such object; check the URL"))
	}
	if err != nil {
		return nil, at.wrap(err)
	}
	t := &transfer{ctx: ctx, at: at, max: o.max, ratio: f.cfg.MaxRatio}
	if ref.Size > t.max {
		return nil, t.tooLarge()
	}
	object, err := store.Open(ctx, ref)
	if err != nil {
		return nil, retryable(at, CodeBrokenBody, err) // it was there a moment ago
	}
	closeAll := func() {
		cancel(nil)
		object.Close() //nolint:errcheck // it was only read
	}
	r := newPatient(ctx, object, f.cfg.IdleTimeout, cancel)
	return &source{Reader: &body{t, r}, transfer: t, label: label{name: name}, close: closeAll}, nil
}

// objectName returns the name of the object in nats-object://BUCKET/NAME.
func objectName(u *url.URL) string { return u.Path[1:] }
