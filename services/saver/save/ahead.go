package save

import (
	"context"
	"sync"
)

// Records are read and checked while those before them are written. They go from
// one to the other in batches.
const (
	// batchRecords and batchBytes are the sizes at which a batch is full.
	batchRecords = 512
	batchBytes   = 256 << 10
	// batchesAhead is how many full batches wait at most. With the one that is being
	// filled and the one that is being written, a save holds at most batchesAhead+2
	// times batchBytes and a record.
	batchesAhead = 2
)

// batch is a number of records with the bytes they are made of.
type batch struct {
	records []record
	bytes   []byte
	err     error // what came behind them
}

// readAhead calls next in a goroutine of its own, and returns what it returned. The
// data of a record is valid until the next call. Stop ends the goroutine and waits for
// it; ctx must be what next gives up for.
func readAhead(ctx context.Context, cancel context.CancelFunc, next func() (record, error)) (ahead func() (record, error), stop func()) {
	full, empty := make(chan batch, batchesAhead), make(chan batch, batchesAhead+2)
	var reader sync.WaitGroup
	reader.Go(func() {
		for {
			b := recycled(empty)
			b.fill(next)
			select {
			case full <- b:
			case <-ctx.Done():
				return
			}
			if b.err != nil {
				return
			}
		}
	})
	var current batch
	at := 0
	ahead = func() (record, error) {
		for at == len(current.records) {
			if current.err != nil {
				return record{}, current.err
			}
			select {
			case empty <- current:
			default: // the first is no batch
			}
			select {
			case current = <-full:
				at = 0
			case <-ctx.Done():
				return record{}, ctx.Err()
			}
		}
		at++
		return current.records[at-1], nil
	}
	return ahead, func() { cancel(); reader.Wait() }
}

// recycled returns an empty batch, with the memory of one that has been written.
func recycled(empty <-chan batch) batch {
	select {
	case b := <-empty:
		return batch{records: b.records[:0], bytes: b.bytes[:0]}
	default:
		return batch{}
	}
}

func (b *batch) fill(next func() (record, error)) {
	for len(b.records) < batchRecords && len(b.bytes) < batchBytes {
		rec, err := next()
		if err != nil {
			b.err = err
			return
		}
		start := len(b.bytes)
		b.bytes = append(b.bytes, rec.data...)
		rec.data = b.bytes[start:len(b.bytes):len(b.bytes)]
		b.records = append(b.records, rec)
	}
}
