package fetch

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

const (
	// acceptEncoding is what we ask for. It is set by us, so that net/http does not
	// decode by itself, without limits.
	acceptEncoding = "zstd, br, gzip, deflate"
	// ratioAllowance is how much, in bytes, may come out of a body before the ratio
	// counts. Short texts compress a thousandfold and harm nobody.
	ratioAllowance = 1 << 20
	// zstdWindow is the largest window of a zstd stream, in bytes. RFC 9659 allows
	// no more on the web.
	zstdWindow = 8 << 20
	// stageBuffer is what a stage reads ahead, in bytes.
	stageBuffer = 32 << 10
)

// parseEncodings reads Content-Encoding headers into the codings that were
// applied, in that order, with identity left out.
func parseEncodings(headers []string, limit int) ([]string, error) {
	var codings []string
	for coding := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		switch coding = strings.ToLower(strings.Trim(coding, " \t")); coding {
		case "", "identity":
			continue
		case "x-gzip":
			coding = "gzip"
		case "gzip", "deflate", "br", "zstd":
		default:
			return nil, fmt.Errorf("content coding %q is not known; known are %s", coding[:min(len(coding), 40)], acceptEncoding)
		}
		if len(codings) == limit {
			return nil, over(limitCodings, fmt.Errorf("the body has more than %d content codings over one another", limit))
		}
		codings = append(codings, coding)
	}
	return codings, nil
}

// decode puts a stage for each coding behind r, the last applied first. An empty
// body is an empty document whatever its coding; many servers send just that.
func decode(t *transfer, r io.Reader, codings []string) (io.Reader, error) {
	for i, coding := range slices.Backward(codings) {
		src := bufio.NewReaderSize(r, stageBuffer)
		if _, err := src.Peek(1); err != nil && i == len(codings)-1 {
			return src, t.err
		}
		dec, err := newDecoder(coding, src)
		if err != nil {
			return nil, t.broken(fmt.Errorf("decode %s: %w", coding, err))
		}
		r = &stage{transfer: t, coding: coding, src: src, dec: dec}
	}
	return r, nil
}

func newDecoder(coding string, src *bufio.Reader) (io.Reader, error) {
	switch coding {
	case "gzip":
		return gzip.NewReader(src)
	case "br":
		return brotli.NewReader(src), nil
	case "zstd":
		// One block at a time: no goroutines, and no memory beyond the window.
		return zstd.NewReader(src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(zstdWindow))
	}
	// "deflate" means zlib, but some servers send raw deflate under that name.
	if head, err := src.Peek(2); err == nil && zlibHeader(head[0], head[1]) {
		return zlib.NewReader(src)
	}
	return flate.NewReader(src), nil
}

// zlibHeader reports whether a stream starts as RFC 1950 says. A raw deflate
// stream does not, unless its first block is stored and padded with ones.
func zlibHeader(cmf, flg byte) bool {
	return cmf&0x0f == 8 && cmf>>4 <= 7 && (uint(cmf)<<8|uint(flg))%31 == 0
}

// stage takes one content coding off. Each stage has the limits of the whole: in
// a bomb inside a bomb it is the inner stage that blows up first, unseen.
type stage struct {
	*transfer
	coding string
	src    *bufio.Reader
	dec    io.Reader
	out    int64 // bytes decoded
}

func (s *stage) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.dec.Read(p)
	s.out += int64(n)
	switch {
	case s.err != nil:
		return 0, s.err
	case s.out > s.max:
		return 0, s.tooLarge()
	case (s.out-ratioAllowance)/s.ratio > s.received:
		return 0, s.fail(permanent(s.at, CodeBomb, over(limitRatio, fmt.Errorf(
			"%d bytes of %s grow to over %d, more than %d times; if the document is genuine, serve it uncompressed",
			s.received, s.coding, s.out, s.ratio))))
	case err == io.EOF:
		return n, s.end()
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		return 0, s.fail(permanent(s.at, CodeBadEncoding, over(limitWindow, fmt.Errorf(
			"decode %s: it needs a window of more than %d bytes, which the web does not allow (RFC 9659)", s.coding, zstdWindow))))
	case err != nil:
		return 0, s.broken(fmt.Errorf("decode %s: %w", s.coding, err))
	}
	return n, nil
}

// end returns io.EOF if the source ends where the coded stream does. It reads
// the source to its end, which is also how a wrong Content-Length comes to light.
func (s *stage) end() error {
	if _, err := s.src.ReadByte(); err == nil {
		return s.broken(fmt.Errorf("decode %s: more bytes after the end of the stream", s.coding))
	}
	if s.err != nil {
		return s.err
	}
	return io.EOF
}
