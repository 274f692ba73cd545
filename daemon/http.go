package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Check says whether something the program needs is there. A nil error is yes.
type Check func(ctx context.Context) error

// checkTimeout is how long all checks of one request may take.
const checkTimeout = 3 * time.Second

// ServeHTTP serves the operations endpoints on an address until ctx is done:
//
//	/healthz  => 200 while the program runs
//	/readyz   => 200 when every check passes, 503 with the reason otherwise
//	/metrics  => Prometheus metrics
func ServeHTTP(ctx context.Context, address string, log *slog.Logger, metrics prometheus.Gatherer, ready Check) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listen for --http: %w", err)
	}
	log.Info("operations endpoints", "address", listener.Addr().String())
	server := &http.Server{
		Handler:           operations(metrics, ready),
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
	stop := context.AfterFunc(ctx, func() { server.Close() }) //nolint:errcheck // nothing is lost
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve --http: %w", err)
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
