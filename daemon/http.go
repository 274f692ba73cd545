package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Check says whether something the program needs is there. A nil error is yes.
type Check func(ctx context.Context) error

// checkTimeout is how long all checks of one request may take.
const checkTimeout = 3 * time.Second

// ErrDraining is what /readyz says of a program that was told to stop.
var ErrDraining = errors.New("the program is stopping: running work ends, nothing new is taken")

// ServeHTTP serves the operations endpoints on an address until ctx is done:
//
//	/healthz  => 200 while the program runs
//	/readyz   => 200 when every check passes, 503 with the reason otherwise
//	/metrics  => Prometheus metrics
//
// A program that drains serves them until it has, see [ErrDraining].
func ServeHTTP(ctx context.Context, address string, log *slog.Logger, metrics prometheus.Gatherer, ready Check) error {
	return serve(ctx, "--http", "operations endpoints", address, log, operations(metrics, ready))
}

// ServeProfiles serves the profiles of package net/http/pprof on an address until
// ctx is done, below /debug/pprof/. Whoever reaches it sees what the program has
// in memory.
func ServeProfiles(ctx context.Context, address string, log *slog.Logger) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return serve(ctx, "--pprof", "profiles", address, log, mux)
}

// serve serves on an address that a flag named until ctx is done.
func serve(ctx context.Context, flag, what, address string, log *slog.Logger, handler http.Handler) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listen for %s: %w", flag, err)
	}
	log.Info(what, "address", listener.Addr().String())
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
	stop := context.AfterFunc(ctx, func() { server.Close() }) //nolint:errcheck // nothing is lost
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", flag, err)
	}
	return nil
}

func operations(metrics prometheus.Gatherer, ready Check) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), checkTimeout)
		defer cancel()
		if err := ready(ctx); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	return mux
}
