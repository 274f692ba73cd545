package daemon

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// TestProbe asks the real endpoints: what --healthcheck says is what /readyz says.
func TestProbe(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		ready error
		want  string // in the error; empty: ready
	}{
		{"ready", nil, ""},
		{"not ready", errors.New("broker: gone fishing"), "not ready: broker: gone fishing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(operations(prometheus.NewRegistry(), func(context.Context) error { return test.ready }))
			defer server.Close()
			_, port, err := net.SplitHostPort(server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			for _, host := range []string{"127.0.0.1", "", "0.0.0.0", "::"} { // listening everywhere is asked here
				err := probe(t.Context(), net.JoinHostPort(host, port))
				if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
					t.Errorf("probe at host %q: %v, want %q", host, err, test.want)
				}
			}
		})
	}
}

func TestProbeNobodyThere(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	address := server.Listener.Addr().String()
	if err := probe(t.Context(), address); err == nil {
		t.Error("some other server there: ready")
	}
	server.Close()
	for _, address := range []string{address, "", "8080", "http://127.0.0.1:8080"} {
		if err := probe(t.Context(), address); err == nil {
			t.Errorf("probe at %q: ready", address)
		}
	}
}
