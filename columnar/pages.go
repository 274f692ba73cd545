package columnar

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"
)

// valueCost is about what a value of a page takes in memory, beside its bytes:
// levels, an index or an offset, in bytes.
const valueCost = 8

// maxHeader is the largest page header, in bytes. Its statistics may repeat the
// smallest and the largest value.
const maxHeader = 64 << 20

// headerCost is what a byte of a page header takes in memory, in bytes: as it is in
// the file, and decoded, here and by the library.
const headerCost = 3

// checkPages reads over the pages of a row group, so that none takes more memory
// than there is for it, whatever it claims and whatever it decompresses to. Only
// then the library may have them.
func (r *Reader) checkPages(group int) error {
	total := r.footer
	for i, chunk := range r.parsed.Metadata().RowGroups[group].Columns {
		if i >= len(r.leaves) {
			break // nextGroup says so
		}
		leaf := r.leaves[i]
		c := chunkScan{file: r.file, meta: &chunk.MetaData, limit: r.limits.MaxMemory - total, repetition: leaf.repetition, definition: leaf.definition,
			need: func(memory int64) error { return r.need(total + memory) }}
		if err := c.scan(); err != nil {
			return r.blame(leaf.path, err)
		}
		total += c.dictionary + c.largest
	}
	return nil
}

// blame gives an error the column it is about.
func (r *Reader) blame(column jsontext.Pointer, err error) error {
	var e *Error
	if errors.As(err, &e) {
		e.Row, e.Column = r.row+1, column
	}
	return err
}

// chunkScan reads over the pages of one column in a row group.
type chunkScan struct {
	file  io.ReaderAt
	meta  *format.ColumnMetaData
	limit int64                    // memory that is left, in bytes
	need  func(memory int64) error // is asked before memory is taken

	repetition, definition bool // that the column has levels of

	dictionary, largest int64  // memory for the dictionary and for the largest other page
	header              []byte // memory for a header
	page                []byte // memory for a page as it is in the file
	plain               []byte // memory for a decompressed one
}

func (c *chunkScan) scan() error {
	at := c.meta.DataPageOffset
	if d := c.meta.DictionaryPageOffset; d > 0 && d < at {
		at = d
	}
	end := at + c.meta.TotalCompressedSize
	if at < 0 || c.meta.TotalCompressedSize < 0 || end < at {
		return &Error{Reason: "its place in the file is impossible"}
	}
	for at < end {
		header, size, err := c.readHeader(at, end)
		if err != nil {
			return err
		}
		if err := c.check(header, size, at+size, end); err != nil {
			return err
		}
		at += size + int64(header.CompressedPageSize)
	}
	return nil
}

// readHeader reads the header of the page at an offset and returns its size.
func (c *chunkScan) readHeader(at, end int64) (*format.PageHeader, int64, error) {
	for window := int64(4 << 10); ; window *= 16 {
		n := min(window, maxHeader, end-at)
		if err := c.reserve(headerCost * n); err != nil {
			return nil, 0, err
		}
		c.header = grow(c.header, int(n))
		read, err := c.file.ReadAt(c.header, at)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, 0, err
		}
		over := thriftText{data: c.header[:read], items: maxItems}
		if err := over.structure(0); err != nil {
			if window < maxHeader && n == window {
				continue
			}
			return nil, 0, &Error{Reason: "the header of a page cannot be read: " + err.Error()}
		}
		header := new(format.PageHeader)
		text := new(thrift.CompactProtocol).NewReaderFromBytes(c.header[:over.at])
		if err := thrift.NewDecoder(text).Decode(header); err != nil {
			return nil, 0, &Error{Reason: "the header of a page cannot be read: " + clip(err.Error())}
		}
		return header, int64(over.at), nil
	}
}

// check holds a page against the limit: what it claims, and what comes out of it.
// Its header has a size as well.
func (c *chunkScan) check(h *format.PageHeader, header, at, end int64) error {
	if h.CompressedPageSize < 0 || h.UncompressedPageSize < 0 || int64(h.CompressedPageSize) > end-at {
		return &Error{Reason: "a page has an impossible size"}
	}
	values, levels, compressed := claims(h)
	if levels < 0 || levels > int64(min(h.CompressedPageSize, h.UncompressedPageSize)) {
		return &Error{Reason: "the levels of a page have an impossible size"}
	}
	cost := headerCost*header + int64(h.CompressedPageSize) + 2*int64(h.UncompressedPageSize) + valueCost*values
	if values < 0 || cost > c.limit-c.dictionary {
		return &Error{Reason: fmt.Sprintf("a page of %d values in %d bytes takes more memory than there is for the pages of a row group", values, h.UncompressedPageSize), Limit: true}
	}
	if err := c.charge(h.Type, cost); err != nil {
		return err
	}
	c.page = grow(c.page, int(h.CompressedPageSize))
	if n, err := c.file.ReadAt(c.page, at); n < len(c.page) {
		if errors.Is(err, io.EOF) {
			return &Error{Reason: "a page goes beyond the end of the file"}
		}
		return err
	}
	compressed = compressed && c.meta.Codec != format.Uncompressed
	if compressed {
		if err := c.decompress(c.page[levels:], int64(h.UncompressedPageSize)-levels); err != nil {
			return err
		}
	}
	return c.checkDelta(h, compressed, levels, values, cost)
}

// claims returns how many values a page is said to have, how many bytes of levels
// stand before what is compressed, and whether that is compressed if the column is.
func claims(h *format.PageHeader) (values, levels int64, compressed bool) {
	switch h.Type {
	case format.DataPage:
		return int64(h.DataPageHeader.V.NumValues), 0, true
	case format.DataPageV2:
		v2 := &h.DataPageHeaderV2.V
		if v2.RepetitionLevelsByteLength < 0 || v2.DefinitionLevelsByteLength < 0 {
			return 0, -1, true
		}
		levels = int64(v2.RepetitionLevelsByteLength) + int64(v2.DefinitionLevelsByteLength)
		return int64(v2.NumValues), levels, !v2.IsCompressed.Valid || v2.IsCompressed.V
	case format.DictionaryPage:
		return int64(h.DictionaryPageHeader.V.NumValues), 0, true
	}
	return 0, 0, true
}

// charge takes the memory of a page from what there is, before it is read.
func (c *chunkScan) charge(kind format.PageType, cost int64) error {
	if kind == format.DictionaryPage {
		c.dictionary += cost
	} else {
		c.largest = max(c.largest, cost)
	}
	return c.reserve(0)
}

// reserve asks for what has been charged and something beside it.
func (c *chunkScan) reserve(more int64) error { return c.need(c.dictionary + c.largest + more) }

// decompress checks that what a page decompresses to is as large as it claims.
func (c *chunkScan) decompress(page []byte, claim int64) error {
	var n int64
	var err error
	switch c.meta.Codec {
	case format.Snappy: // it trusts the length it begins with
		var length int
		length, err = snappy.DecodedLen(page)
		n = int64(length)
	case format.Lz4Raw: // a page that is broken would be tried with ever more memory
		var length int
		c.plain = grow(c.plain, int(claim))
		length, err = lz4.UncompressBlock(page, c.plain)
		n = int64(length)
	case format.Gzip:
		var z *gzip.Reader
		if z, err = gzip.NewReader(bytes.NewReader(page)); err == nil {
			n, err = measure(z, claim)
		}
	case format.Brotli:
		n, err = measure(brotli.NewReader(bytes.NewReader(page)), claim)
	case format.Zstd:
		n, err = measureZstd(page, claim)
	default:
		return &Error{Reason: fmt.Sprintf("its compression %s is not known", c.meta.Codec)}
	}
	if err != nil {
		return &Error{Reason: "a page cannot be decompressed: " + clip(err.Error())}
	}
	if n != claim {
		return &Error{Reason: fmt.Sprintf("a page decompresses to another size than the %d bytes it claims", claim)}
	}
	return nil
}

func measureZstd(page []byte, claim int64) (int64, error) {
	z, err := zstd.NewReader(bytes.NewReader(page), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return 0, err
	}
	defer z.Close()
	return measure(z, claim)
}

// maxWindow is the largest window that zstd may keep of what it has
// decompressed, in bytes; its specification recommends 8 MiB.
const maxWindow = 16 << 20

// measure counts what there is to read, up to one byte more than is claimed.
func measure(r io.Reader, claim int64) (int64, error) {
	return io.Copy(io.Discard, io.LimitReader(r, claim+1))
}

// grow returns memory of a size, the same as before if it is enough.
func grow(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}
