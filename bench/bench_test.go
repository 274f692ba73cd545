package bench_test

import (
	"log/slog"
	"testing"

	"segue/bench"
)

func BenchmarkSegue(b *testing.B) {
	log := slog.New(slog.NewTextHandler(b.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	dial, stop, err := bench.Embedded(b.TempDir(), false, true, log)
	if err != nil {
		b.Fatal(err)
	}
	defer stop()
	for b.Loop() {
		r, err := bench.Segue(b.Context(), bench.Config{Dial: dial, Log: log, Runs: 5000})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(r.Saturation.PerSecond, "runs/s")
	}
}
