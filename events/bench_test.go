package events_test

import (
	"testing"

	"segue/events"
)

// command is the golden step.requested event: 14 attributes and 36 bytes of data.
func command() sample {
	for _, s := range samples() {
		if s.event.Type == events.TypeStepRequested {
			return s
		}
	}
	panic("no sample") // unreachable: TestGolden asks for every type
}

func BenchmarkEncodeBinary(b *testing.B) {
	s := command()
	b.ReportAllocs()
	for b.Loop() {
		events.Encode("x", s.event)
	}
}

func BenchmarkDecodeBinary(b *testing.B) {
	s := command()
	m := events.Encode("x", s.event)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := events.Decode(m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeStructured(b *testing.B) {
	s := command()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := events.EncodeStructured("x", s.event); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeStructured(b *testing.B) {
	m, err := events.EncodeStructured("x", command().event)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := events.Decode(m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSubject(b *testing.B) {
	text := command().subject.String()
	b.ReportAllocs()
	for b.Loop() {
		s, err := events.ParseSubject(text)
		if err != nil || s.String() != text {
			b.Fatal(err)
		}
	}
}
