package jetstream_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"segue/broker"
	"segue/events"
	"segue/journal"
	"segue/journal/jetstream"
)

func openForBench(b *testing.B) *jetstream.Journal {
	b.Helper()
	s, err := broker.Start(broker.Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Shutdown)
	nc, err := s.Connect()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(nc.Close)
	j, err := jetstream.Open(b.Context(), nc, jetstream.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(j.Close)
	return j
}

// benchMessage is a message of a run as the engine sends it, about 700 bytes.
func benchMessage(n int64) events.Message {
	run := uuid.NewSHA1(uuid.NameSpaceURL, fmt.Appendf(nil, "%d", n/10)).String()
	s := events.RunSubject(events.KindCommand, run, journal.DefaultPartitions)
	s.Service, s.Step, s.Attempt = "fetcher", fmt.Sprintf("step%d", n%10), events.Attempt{N: 1}
	e := events.Event{ID: run, Source: events.Orchestrator, Type: events.TypeStepRequested, RunID: run, CorrelationID: run, Data: make([]byte, 300)}
	return events.Encode(s.String(), e)
}

func report(b *testing.B, n int) {
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "messages/s")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkAppendAlone is a writer that waits for each message to be on disk.
func BenchmarkAppendAlone(b *testing.B) {
	j := openForBench(b)
	var n int64
	for b.Loop() {
		if err := j.Append(b.Context(), benchMessage(n)); err != nil {
			b.Fatal(err)
		}
		n++
	}
	report(b, b.N)
}

// BenchmarkAppendTogether is many writers that each wait, as orchestrator and
// services do.
func BenchmarkAppendTogether(b *testing.B) {
	for _, writers := range []int{8, 64, 512} {
		b.Run(fmt.Sprint(writers), func(b *testing.B) {
			j := openForBench(b)
			var n atomic.Int64
			b.SetParallelism(writers / 2) // times GOMAXPROCS, 2 on the machine of the figures
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := j.Append(context.Background(), benchMessage(n.Add(1))); err != nil {
						b.Error(err)
					}
				}
			})
			report(b, b.N)
		})
	}
}

// BenchmarkAppendBatch is one writer with many messages a call.
func BenchmarkAppendBatch(b *testing.B) {
	for _, size := range []int{2, 10, 19, 20, 100, 500} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			j := openForBench(b)
			messages := make([]events.Message, size)
			var n int64
			for b.Loop() {
				for i := range messages {
					messages[i] = benchMessage(n)
					n++
				}
				if err := j.Append(b.Context(), messages...); err != nil {
					b.Fatal(err)
				}
			}
			report(b, b.N*size)
		})
	}
}

// BenchmarkAppendTaken is a writer whose messages are all there already.
func BenchmarkAppendTaken(b *testing.B) {
	j := openForBench(b)
	messages := make([]events.Message, 100)
	for i := range messages {
		messages[i] = benchMessage(int64(i))
	}
	for b.Loop() {
		if err := j.Append(b.Context(), messages...); err != nil {
			b.Fatal(err)
		}
	}
	report(b, b.N*len(messages))
}

// BenchmarkFollow replays 100,000 messages, all of them and one partition's.
func BenchmarkFollow(b *testing.B) {
	j := openForBench(b)
	const stored = 100_000
	messages := make([]events.Message, 0, 500)
	for n := range int64(stored) {
		messages = append(messages, benchMessage(n))
		if len(messages) == cap(messages) {
			if err := j.Append(b.Context(), messages...); err != nil {
				b.Fatal(err)
			}
			messages = messages[:0]
		}
	}
	for _, filter := range []string{events.AllRuns, events.PartitionFilter(3)} {
		b.Run(filter, func(b *testing.B) {
			count := 0
			for b.Loop() {
				records, err := journal.Load(b.Context(), j, filter)
				if err != nil {
					b.Fatal(err)
				}
				count += len(records)
			}
			report(b, count)
		})
	}
}

// BenchmarkLoad reads one run.
func BenchmarkLoad(b *testing.B) {
	j := openForBench(b)
	messages := make([]events.Message, 500)
	for i := range messages {
		messages[i] = benchMessage(int64(i))
	}
	if err := j.Append(b.Context(), messages...); err != nil {
		b.Fatal(err)
	}
	subject, err := events.ParseSubject(messages[0].Subject)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if records, err := journal.Load(b.Context(), j, events.RunFilter(subject.Run)); err != nil || len(records) != 10 {
			b.Fatal(len(records), err)
		}
	}
}

// BenchmarkConsume is a thousand commands, each taken and acked before the next.
func BenchmarkConsume(b *testing.B) {
	const commands = 1000
	j := openForBench(b)
	work, err := j.Consume(b.Context(), journal.Commands("fetcher", 8))
	if err != nil {
		b.Fatal(err)
	}
	var n int64
	for b.Loop() {
		b.StopTimer()
		messages := make([]events.Message, commands)
		for i := range messages {
			messages[i] = benchMessage(n)
			n++
		}
		if err := j.Append(b.Context(), messages...); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		for range commands {
			d, err := work.Next(b.Context())
			if err == nil {
				err = d.DoubleAck(b.Context())
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	report(b, b.N*commands)
}
