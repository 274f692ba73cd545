package tabular

import (
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"testing"
)

var corpora = []struct{ name, text string }{
	{"plain", "ident,type,name,latitude,longitude,elevation,country\n" +
		strings.Repeat("EDDB,large_airport,Berlin Brandenburg Airport,52.351389,13.493889,157,DE\n", 20_000)},
	{"quoted", "ident,type,name,latitude,longitude,elevation,country\n" +
		strings.Repeat("\"EDDB\",\"large_airport\",\"Berlin \"\"Brandenburg\"\" Airport\",52.351389,13.493889,157,\"DE\"\n", 20_000)},
}

func BenchmarkReader(b *testing.B) {
	for _, c := range corpora {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.text)))
			b.ReportAllocs()
			for b.Loop() {
				rows, err := NewReader(strings.NewReader(c.text), Options{})
				if err != nil {
					b.Fatal(err)
				}
				drain(b, rows.Read)
			}
		})
	}
}

func BenchmarkEncodingCSV(b *testing.B) {
	for _, c := range corpora {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.text)))
			b.ReportAllocs()
			for b.Loop() {
				rows := csv.NewReader(strings.NewReader(c.text))
				rows.ReuseRecord = true
				drain(b, rows.Read)
			}
		})
	}
}

func drain(b *testing.B, read func() ([]string, error)) {
	for {
		if _, err := read(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			b.Fatal(err)
		}
	}
}
