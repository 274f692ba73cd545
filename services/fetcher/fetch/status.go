package fetch

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"segue/participant"
)

// maxRetryAfter is the longest delay that a server may ask for.
const maxRetryAfter = time.Hour

// statusFailure returns nil for a response that carries the document. The
// package documentation has the table.
func statusFailure(at place, resp *http.Response, now time.Time) error {
	code := resp.StatusCode
	reason := fmt.Sprintf("the server answers %d %s", code, http.StatusText(code))
	switch {
	case code == http.StatusPartialContent, code == http.StatusIMUsed:
		return permanent(at, CodeHTTPStatus, fmt.Errorf("%s, a part of the document; the whole was asked for", reason))
	case code == http.StatusNotFound, code == http.StatusGone:
		return permanent(at, CodeNotFound, fmt.Errorf("%s; check the URL", reason))
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return permanent(at, CodeHTTPStatus, fmt.Errorf("%s; the fetcher has no right to the document", reason))
	case code == http.StatusAccepted, code == http.StatusRequestTimeout, code == http.StatusTooEarly,
		code == http.StatusTooManyRequests, code >= 500 && code <= 599:
		delay := parseRetryAfter(resp.Header.Get("Retry-After"), now)
		if delay > 0 {
			reason += fmt.Sprintf("; it asks to wait for %v", delay.Round(time.Second))
		}
		return &participant.Error{Code: CodeUnavailable, RetryAfter: delay, Err: at.wrap(errors.New(reason))}
	case code >= 200 && code <= 299:
		return nil
	case code >= 300 && code <= 399:
		return permanent(at, CodeHTTPStatus, fmt.Errorf("%s, without a place to go on to", reason))
	}
	return permanent(at, CodeHTTPStatus, fmt.Errorf("%s; a repetition would not help", reason))
}

// parseRetryAfter reads a Retry-After header: seconds, or an HTTP date. What it
// cannot read, or what is past, is no delay.
func parseRetryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if value == "" {
		return 0
	}
	if strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil || seconds > int64(maxRetryAfter/time.Second) {
			return maxRetryAfter // more digits than an int64 holds is long, too
		}
		return time.Duration(seconds) * time.Second
	}
	date, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(date.Sub(now), 0), maxRetryAfter)
}
