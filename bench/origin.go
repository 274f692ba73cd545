package bench

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// Origin serves JSON documents of so many records on the loopback address until it is
// closed, at URL/0.json, URL/1.json and so on. Each has keys of its own, at /id.
func Origin(records int) (url string, closed func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("listen for the fetcher: %w", err)
	}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, documentOf(strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/"), ".json"), records))
	})}
	go server.Serve(listener) //nolint:errcheck // ends when it is closed
	return "http://" + listener.Addr().String(), func() { server.Close() }, nil
}

// documentOf returns an array of records of about 100 bytes.
func documentOf(name string, records int) string {
	var b strings.Builder
	b.WriteString("[")
	for i := range records {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, `{"id":"%s-%d","name":"thing number %d","tags":["x","y"],"price":12.5,"in_stock":true}`, name, i, i)
	}
	b.WriteString("]")
	return b.String()
}
