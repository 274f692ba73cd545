package archive

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"io"

	"segue/document"
)

// Lookahead is how much of a [Document] can be peeked at, in bytes.
const Lookahead = 64 << 10

// Options say how a document is opened.
type Options struct {
	// Container is Gzip or Zip, empty for a document that is in neither.
	Container string
	// Recognize says that the container is told by the first bytes instead.
	Recognize bool
	// Member is the member of a zip file. Empty means its only one.
	Member string
	Limits Limits
	// Turn is taken before more than some [document.Small] of memory can be needed
	// for what has been read since [Document.Mark]. Nil asks nobody.
	Turn *document.Turn
	// MaxFile is the largest file, in bytes, that may be needed: a zip file, and
	// what [Document.File] is asked for.
	MaxFile int64
}

// Document is a document of a store, out of its container.
type Document struct {
	// Container is what it was in, Gzip or Zip, empty for none, and Member which part
	// of a zip file it is.
	Container, Member string
	// Content is what there is to read.
	Content *bufio.Reader

	ref     document.Ref
	turn    *document.Turn
	maxFile int64
	inputs  []*input
	stored  *bufio.Reader // the document as it is stored; nil once it is in a file
	closers []io.Closer
}

// Open opens a document and what contains it. It returns an [*Error] if the
// container is at fault, [document.ErrTooLarge] for a zip file over the limit, or
// an error of the store. All reading ends with ctx.
func Open(ctx context.Context, store document.Store, ref document.Ref, o Options) (*Document, error) {
	stored, err := store.Open(ctx, ref)
	if err != nil {
		return nil, err
	}
	d := &Document{Container: o.Container, ref: ref, turn: o.Turn, maxFile: o.MaxFile}
	d.stored = d.input(ctx, stored)
	d.Content = d.stored
	if o.Recognize {
		prefix, err := d.stored.Peek(4)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, errors.Join(err, d.Close())
		}
		d.Container = Recognize(prefix)
	}
	if err := d.unpack(ctx, o); err != nil {
		if errors.As(err, new(*Error)) { // a word on the right bytes?
			err = cmp.Or(d.Drain(), err)
		}
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// input buffers what is read from r, and closes it in the end.
func (d *Document) input(ctx context.Context, r io.ReadCloser) *bufio.Reader {
	in := &input{ctx: ctx, r: r, turn: d.turn}
	d.inputs = append(d.inputs, in)
	d.closers = append(d.closers, r)
	return bufio.NewReaderSize(in, Lookahead)
}

// Mark says that nothing is kept any more of what has been read: a record or a token
// is done.
func (d *Document) Mark() {
	for _, in := range d.inputs {
		in.ahead = 0
	}
}

// unpack replaces a container by what is in it.
func (d *Document) unpack(ctx context.Context, o Options) error {
	if o.Member != "" && d.Container != Zip {
		return &Error{Reason: "is no zip file, and member names a member of one", Member: true}
	}
	var inside io.ReadCloser
	var err error
	switch d.Container {
	case Gzip:
		inside, err = OpenGzip(d.stored, o.Limits)
	case Zip:
		var file *document.Spooled
		if file, err = d.File(); err == nil {
			inside, d.Member, err = OpenZip(file, file.Size, o.Member, o.Limits)
		}
	default:
		return nil
	}
	if err != nil {
		return err
	}
	d.Content = d.input(ctx, inside)
	return nil
}

// File puts what there is to read into a file, for a format that is read in any
// order, until the Document is closed. More than the limit is
// [document.ErrTooLarge].
func (d *Document) File() (*document.Spooled, error) {
	var file *document.Spooled
	var err error
	for _, in := range d.inputs {
		in.turn = nil // nothing is kept of what goes into a file
	}
	if d.Content == d.stored {
		file, err = document.Spool(d.stored, d.ref, d.maxFile)
		d.stored = nil
	} else {
		file, err = document.SpoolReader(d.Content, d.maxFile)
	}
	if err != nil {
		return nil, err
	}
	d.closers = append(d.closers, file)
	return file, nil
}

// Drain reads the document, as it is stored, to its end, where the store compares
// the digest: a verdict on it, good or bad, is one on the right bytes.
func (d *Document) Drain() error {
	if d.stored == nil { // the whole of it has been read into a file
		return nil
	}
	d.inputs[0].turn = nil
	_, err := io.Copy(io.Discard, d.stored)
	return err
}

// Err returns what ended reading before the end, whatever a decoder made of it:
// an error of the store or the context, else an [*Error].
func (d *Document) Err() error {
	for _, in := range d.inputs {
		if in.err != nil {
			return in.err
		}
	}
	return nil
}

// Close closes all that has been opened, and removes the files.
func (d *Document) Close() error {
	var all error
	for i := len(d.closers) - 1; i >= 0; i-- {
		all = errors.Join(all, d.closers[i].Close())
	}
	return all
}

// maxAhead is how much is read for a record or a token, in bytes and about, before
// it is one that may take much memory: a few bytes of JSON or XML can be some
// hundred times as many.
const maxAhead = 64 << 10

// input remembers its error, so that it can be told from a flaw of what is read,
// and ends with ctx.
type input struct {
	ctx   context.Context
	r     io.Reader
	turn  *document.Turn
	ahead int   // bytes read since the last mark
	err   error // that ended it before its end
}

func (in *input) Read(p []byte) (int, error) {
	if in.err == nil {
		in.err = in.ctx.Err()
	}
	if in.err == nil && in.ahead > maxAhead {
		in.err = in.turn.Take()
	}
	if in.err != nil {
		return 0, in.err
	}
	n, err := in.r.Read(p)
	in.ahead += n
	if err != nil && !errors.Is(err, io.EOF) {
		in.err = err
	}
	return n, err
}
