package fetch

import (
	"net/http"
	"strconv"
	"testing"
	"time"
)

func TestFetchStatus(t *testing.T) {
	t.Parallel()
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		status, _ := strconv.Atoi(r.URL.Path[1:])
		w.WriteHeader(status)
	})
	const ok = ""
	for status, code := range map[int]string{
		200: ok, 201: ok, 203: ok, 204: ok, 205: ok,
		202: CodeUnavailable, 206: CodeHTTPStatus, 226: CodeHTTPStatus,
		300: CodeHTTPStatus, 301: CodeHTTPStatus, 304: CodeHTTPStatus, 305: CodeHTTPStatus,
		400: CodeHTTPStatus, 401: CodeHTTPStatus, 403: CodeHTTPStatus, 404: CodeNotFound, 405: CodeHTTPStatus,
		408: CodeUnavailable, 410: CodeNotFound, 418: CodeHTTPStatus, 425: CodeUnavailable, 429: CodeUnavailable,
		451: CodeHTTPStatus, 499: CodeHTTPStatus,
		500: CodeUnavailable, 501: CodeUnavailable, 502: CodeUnavailable, 503: CodeUnavailable, 504: CodeUnavailable, 599: CodeUnavailable,
		600: CodeHTTPStatus, 999: CodeHTTPStatus,
	} {
		f, docs := newFetcher(t, Config{})
		_, err := fetchURL(t.Context(), f, url+"/"+strconv.Itoa(status))
		if code == ok {
			if err != nil || len(docs.Names()) != 1 {
				t.Errorf("%d: %v", status, err)
			}
			continue
		}
		e := wantFailure(t, err, code, code != CodeUnavailable, url, strconv.Itoa(status), http.StatusText(status))
		if e.RetryAfter != 0 || len(docs.Names()) != 0 {
			t.Errorf("%d: asks for %v, left %d documents", status, e.RetryAfter, len(docs.Names()))
		}
	}
}

func TestFetchSwitchingProtocols(t *testing.T) {
	t.Parallel()
	f, _ := newFetcher(t, Config{})
	_, err := fetchURL(t.Context(), f, serveText(t, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"))
	wantFailure(t, err, CodeHTTPStatus, true, "101")
}

func TestFetchRetryAfter(t *testing.T) {
	t.Parallel()
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", r.URL.Query().Get("after"))
		if r.URL.Query().Get("after") == "date" {
			w.Header().Set("Retry-After", time.Now().Add(90*time.Second).UTC().Format(http.TimeFormat))
		}
		w.WriteHeader(http.StatusTooManyRequests)
	})
	f, _ := newFetcher(t, Config{})
	_, err := fetchURL(t.Context(), f, url+"/?after=7")
	if e := wantFailure(t, err, CodeUnavailable, false, "429 Too Many Requests", "wait for 7s"); e.RetryAfter != 7*time.Second {
		t.Errorf("asks for %v", e.RetryAfter)
	}
	_, err = fetchURL(t.Context(), f, url+"/?after=date")
	if e := wantFailure(t, err, CodeUnavailable, false); e.RetryAfter < 80*time.Second || e.RetryAfter > 90*time.Second {
		t.Errorf("asks for %v", e.RetryAfter)
	}
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestParseRetryAfter(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]time.Duration{
		"":                               0,
		"0":                              0,
		"120":                            2 * time.Minute,
		" 5 ":                            5 * time.Second,
		"3600":                           time.Hour,
		"3601":                           time.Hour,
		"99999999999999999999999":        time.Hour,
		"-1":                             0,
		"1.5":                            0,
		"0x10":                           0,
		"soon":                           0,
		"Sun, 01 Mar 2026 12:00:30 GMT":  30 * time.Second,
		"Sunday, 01-Mar-26 12:01:00 GMT": time.Minute,
		"Sun Mar  1 12:00:05 2026":       5 * time.Second,
		"Sun, 01 Mar 2026 11:00:00 GMT":  0,
		"Mon, 01 Mar 2027 12:00:00 GMT":  time.Hour,
		"Sun, 01 Mar 9999 12:00:00 GMT":  time.Hour,
		"Sun, 01 Mar 0001 12:00:00 GMT":  0,
		"Sun, 99 Mar 2026 12:00:00 GMT":  0,
	} {
		if got := parseRetryAfter(value, noon); got != want {
			t.Errorf("parseRetryAfter(%q) = %v, want %v", value, got, want)
		}
	}
}

// No header makes a delay below nothing or over the limit.
func FuzzParseRetryAfter(f *testing.F) {
	for _, s := range []string{"", "0", "120", "-1", "99999999999999999999", "Sun, 01 Mar 2026 12:00:30 GMT"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if d := parseRetryAfter(value, noon); d < 0 || d > maxRetryAfter {
			t.Errorf("parseRetryAfter(%q) = %v", value, d)
		}
	})
}
