package columnar

import (
	"encoding/binary"
	"fmt"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/format"
)

// Pages of the delta encodings say themselves how many values they have, beside
// their header. And where each text begins with a part of the one before it
// (DELTA_BYTE_ARRAY), a page can become as large as the square of itself.

// encodingOf returns the encoding of a data page.
func encodingOf(h *format.PageHeader) format.Encoding {
	switch h.Type {
	case format.DataPage:
		return h.DataPageHeader.V.Encoding
	case format.DataPageV2:
		return h.DataPageHeaderV2.V.Encoding
	}
	return format.Plain
}

// checkDelta holds a page of a delta encoding against its header and the limit.
// The page is as it is in the file, but known to be as large as it claims, and has
// been charged its cost, which lacks what texts share.
func (c *chunkScan) checkDelta(h *format.PageHeader, compressed bool, levels, values, cost int64) error {
	encoding := encodingOf(h)
	switch encoding {
	case format.DeltaBinaryPacked, format.DeltaLengthByteArray, format.DeltaByteArray:
	default:
		return nil
	}
	plain := c.page[levels:]
	if compressed {
		var err error
		if plain, err = parquet.LookupCompressionCodec(c.meta.Codec).Decode(nil, plain); err != nil {
			return &Error{Reason: "a page cannot be decompressed: " + clip(err.Error())}
		}
	}
	if h.Type == format.DataPage {
		plain = c.withoutLevels(plain)
	}
	count, ok := deltaCount(plain)
	if !ok || count > uint64(values) {
		return &Error{Reason: "a page does not have the number of values that its header says"}
	}
	if encoding != format.DeltaByteArray || count == 0 {
		return nil
	}
	shared, err := new(delta.BinaryPackedEncoding).DecodeInt32(nil, plain)
	if err != nil {
		return &Error{Reason: "a page cannot be decoded: " + clip(err.Error())}
	}
	for _, n := range shared {
		if cost += int64(n); n < 0 || cost > c.limit-c.dictionary {
			return &Error{Reason: fmt.Sprintf("a page of %d texts in %d bytes takes more memory than there is for the pages of a row group", values, h.UncompressedPageSize), Limit: true}
		}
	}
	return c.charge(h.Type, cost)
}

// withoutLevels takes the levels off a page of version 1, each with its length.
func (c *chunkScan) withoutLevels(page []byte) []byte {
	for _, has := range []bool{c.repetition, c.definition} {
		if !has {
			continue
		}
		if len(page) < 4 {
			return nil
		}
		n := uint64(binary.LittleEndian.Uint32(page))
		if n > uint64(len(page)-4) {
			return nil
		}
		page = page[4+n:]
	}
	return page
}

// deltaCount returns how many values a sequence of delta-encoded integers is said
// to have.
func deltaCount(text []byte) (uint64, bool) {
	var fields [3]uint64 // size of a block, small blocks in it, values
	for i := range fields {
		n, size := binary.Uvarint(text)
		if size <= 0 {
			return 0, false
		}
		fields[i], text = n, text[size:]
	}
	const most = 1 << 16 // the usual block has 128 values
	return fields[2], fields[0] <= most && fields[1] <= most
}
