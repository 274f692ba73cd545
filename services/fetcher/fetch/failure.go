package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"segue/participant"
)

// The codes of failures. The package documentation says what each means.
const (
	CodeBadURL          = "bad_url"
	CodeAddressRefused  = "address_refused"
	CodeFileRefused     = "file_refused"
	CodeRedirectRefused = "redirect_refused"
	CodeNotFound        = "not_found"
	CodeHTTPStatus      = "http_status"
	CodeHostNotFound    = "host_not_found"
	CodeTLS             = "tls"
	CodeBadEncoding     = "bad_encoding"
	CodeTooLarge        = "too_large"
	CodeBomb            = "decompression_bomb"
	CodeUnavailable     = "unavailable"
	CodeNetwork         = "network"
	CodeTimeout         = "timeout"
	CodeBrokenBody      = "broken_body"
	CodeStoreFull       = "store_full"
	CodeBadHeader       = "bad_header"
	CodeSecretMissing   = "secret_missing"
	CodeRobotsRefused   = "robots_refused"
	CodeHostBusy        = "host_busy"
	CodeBadCharset      = "bad_charset"
	CodeChanged         = "document_changed"
)

// maxReason is how much of a foreign error a message quotes, in bytes. Errors of
// net/http may hold what the server sent.
const maxReason = 300

// permanent makes a failure that another attempt would meet again.
func permanent(at place, code string, err error) error {
	return participant.Permanent(code, at.wrap(err))
}

// retryable makes a failure that another attempt may not meet.
func retryable(at place, code string, err error) error {
	return &participant.Error{Code: code, Err: at.wrap(err)}
}

// connectFailure classifies the error of a request that got no response.
func connectFailure(ctx context.Context, at place, err error) error {
	if ctx.Err() != nil {
		return at.wrap(context.Cause(ctx))
	}
	var refused *refusal
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var noTLS tls.RecordHeaderError
	var timeout net.Error
	switch {
	case errors.As(err, &refused):
		return permanent(at, CodeAddressRefused, refused)
	case errors.As(err, &dns) && dns.IsNotFound && !dns.IsTemporary && !dns.IsTimeout:
		return permanent(at, CodeHostNotFound, fmt.Errorf("there is no host %s; check the URL: %w", dns.Name, err))
	case errors.As(err, &certificate):
		return permanent(at, CodeTLS, clip(err))
	case errors.As(err, &noTLS):
		return permanent(at, CodeTLS, fmt.Errorf("the server does not speak TLS; is it http? %w", clip(err)))
	case errors.As(err, &timeout) && timeout.Timeout():
		return retryable(at, CodeTimeout, over(waitLimit(err), clip(err)))
	case headerTooLarge(err):
		return retryable(at, CodeNetwork, over(limitHeader, clip(err)))
	case errors.Is(err, io.EOF):
		return retryable(at, CodeNetwork, fmt.Errorf("the server closed the connection without an answer: %w", err))
	}
	return retryable(at, CodeNetwork, clip(err))
}

// waitLimit tells which wait for an answer was over. The errors of net/http have a
// text and no name.
func waitLimit(err error) string {
	if strings.Contains(err.Error(), "awaiting response headers") {
		return limitAnswer
	}
	return limitConnect
}

// headerTooLarge reports whether an answer had a header over [Config.MaxHeader], in
// the words of HTTP/1 and of HTTP/2. Of one that is far over, HTTP/2 says no more than
// that the protocol was broken.
func headerTooLarge(err error) bool {
	text := err.Error()
	return strings.Contains(text, "response headers exceeded") || strings.Contains(text, "response header list larger")
}

// idleError is why a body reader gives up waiting.
type idleError struct{ after time.Duration }

func (e idleError) Error() string { return fmt.Sprintf("no byte for %v", e.after) }

// clipped is an error whose text is cut to maxReason bytes of clean text.
type clipped struct{ cause error }

// clip makes a foreign error fit for a message.
func clip(err error) error { return clipped{err} }

func (c clipped) Unwrap() error { return c.cause }

func (c clipped) Error() string {
	s := c.cause.Error()
	if len(s) > maxReason {
		s = s[:maxReason] + "..."
	}
	return strings.ToValidUTF8(s, "?")
}
