package columnar

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// maxItems is how many items the lists in a footer may have, all together. An
// item may be one byte there and some hundred in memory.
const maxItems = 400_000

// What an item of a list takes in memory, about, in bytes: a structure, such as a
// column of the schema or in a row group, with what the library and this package
// keep of it; and anything else.
const (
	structCost = 800
	itemCost   = 32
)

// columnCost is what reading a column takes beside its pages, in bytes: buffers.
const columnCost = 8 << 10

// maxThriftDepth is how deep structures of a footer may be nested.
const maxThriftDepth = 32

// errThrift is the error of text that is not in Thrift's compact protocol.
var errThrift = errors.New("it is cut or not in Thrift's compact protocol")

// checkFooter reads over the footer, so that no list or string in it claims more
// than there is, and returns the memory that it takes, about.
func checkFooter(file io.ReaderAt, size int64, l Limits) (memory int64, err error) {
	const tail = 8 // length and magic
	if size < int64(len(Magic))+tail {
		return 0, &Error{Reason: "it is too short to be Parquet"}
	}
	var head [4]byte
	var end [tail]byte
	if _, err := file.ReadAt(head[:], 0); err != nil {
		return 0, err
	}
	if _, err := file.ReadAt(end[:], size-tail); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	if magic := string(end[4:]); magic == "PARE" || string(head[:]) == "PARE" {
		return 0, &Error{Reason: "it is encrypted"}
	} else if magic != Magic || string(head[:]) != Magic {
		return 0, &Error{Reason: "it does not begin and end with " + Magic + ", so it is not Parquet or is cut"}
	}
	length := int64(binary.LittleEndian.Uint32(end[:4]))
	if length > size-tail-int64(len(Magic)) {
		return 0, &Error{Reason: "its footer is said to be larger than the file"}
	}
	if length > int64(l.MaxFooter) {
		return 0, &Error{Reason: fmt.Sprintf("its footer has %d bytes, the limit is %d", length, l.MaxFooter), Limit: true}
	}
	footer := make([]byte, length)
	if _, err := file.ReadAt(footer, size-tail-length); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	t := thriftText{data: footer, items: maxItems}
	if err := t.structure(0); err != nil {
		return 0, &Error{Reason: "its footer cannot be read: " + err.Error(), Limit: t.items < 0}
	}
	memory = 3*length + t.cost
	if memory > l.MaxMemory {
		return 0, &Error{Reason: fmt.Sprintf("its footer of %d bytes takes more memory than there is", length), Limit: true}
	}
	return memory, nil
}

// thriftText reads over text in Thrift's compact protocol.
type thriftText struct {
	data  []byte
	at    int
	items int   // that lists may still have
	cost  int64 // of all lists in memory, in bytes
}

// The types of the compact protocol.
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftI8     = 3
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
)

// structure reads over the fields of a structure up to its stop.
func (t *thriftText) structure(depth int) error {
	if depth > maxThriftDepth {
		return errThrift
	}
	for {
		head, err := t.byte()
		if err != nil || head == 0 {
			return err
		}
		if head>>4 == 0 { // the field's number is not a small step from the last one
			if _, err := t.varint(); err != nil {
				return err
			}
		}
		kind := head & 0xF
		if kind == thriftTrue || kind == thriftFalse { // the type is the value
			continue
		}
		if err := t.value(kind, depth+1); err != nil {
			return err
		}
	}
}

func (t *thriftText) value(kind byte, depth int) error {
	switch kind {
	case thriftTrue, thriftFalse, thriftI8:
		return t.skip(1)
	case thriftI16, thriftI32, thriftI64:
		_, err := t.varint()
		return err
	case thriftDouble:
		return t.skip(8)
	case thriftBinary:
		n, err := t.varint()
		if err != nil {
			return err
		}
		return t.skip(n)
	case thriftList, thriftSet:
		return t.list(depth)
	case thriftStruct:
		return t.structure(depth)
	}
	return errThrift // Parquet has no maps
}

func (t *thriftText) list(depth int) error {
	head, err := t.byte()
	if err != nil {
		return err
	}
	n := uint64(head >> 4)
	if n == 0xF {
		if n, err = t.varint(); err != nil {
			return err
		}
	}
	if n > uint64(len(t.data)-t.at) { // each item has at least a byte
		return errThrift
	}
	if t.items -= int(n); t.items < 0 {
		return fmt.Errorf("its lists have more than %d items", maxItems)
	}
	if head&0xF == thriftStruct {
		t.cost += structCost * int64(n)
	} else {
		t.cost += itemCost * int64(n)
	}
	for range n {
		if err := t.value(head&0xF, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (t *thriftText) byte() (byte, error) {
	if t.at == len(t.data) {
		return 0, errThrift
	}
	t.at++
	return t.data[t.at-1], nil
}

func (t *thriftText) varint() (uint64, error) {
	n, size := binary.Uvarint(t.data[t.at:])
	if size <= 0 {
		return 0, errThrift
	}
	t.at += size
	return n, nil
}

func (t *thriftText) skip(n uint64) error {
	if n > math.MaxInt32 || int(n) > len(t.data)-t.at {
		return errThrift
	}
	t.at += int(n)
	return nil
}
