package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// probeTimeout is how long a probe waits. It is longer than checkTimeout, so that
// the program gets round to saying what it lacks.
const probeTimeout = checkTimeout + 2*time.Second

// maxProbeAnswer is how much of an answer a probe reads, in bytes.
const maxProbeAnswer = 4 << 10

// probe asks the program that serves --http at address on this machine whether
// it is ready; see --healthcheck. An image without a shell has nothing else to
// ask with. The error says why it is not.
func probe(ctx context.Context, address string) error {
	if address == "" {
		return errors.New("probe: give the --http address of the running program, or SEGUE_HTTP")
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() { // it listens everywhere: also here
		host = "localhost"
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	client := http.Client{Transport: &http.Transport{}} // the proxies of the environment are for elsewhere
	defer client.CloseIdleConnections()
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK {
		return nil
	}
	reason, err := io.ReadAll(io.LimitReader(response.Body, maxProbeAnswer))
	if err != nil {
		return fmt.Errorf("probe: read why it is not ready: %w", err)
	}
	return fmt.Errorf("probe: not ready: %s", strings.TrimSpace(string(reason)))
}
