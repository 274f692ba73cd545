package fetch

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// maxURL is the longest URL that is fetched, in bytes.
const maxURL = 8 << 10

// maxHost is the longest name of a host, in bytes, that DNS knows.
const maxHost = 253

// place is where a fetch has got to.
type place struct{ first, current *url.URL }

// wrap says of an error where it happened.
func (p place) wrap(err error) error {
	if p.first == p.current {
		return fmt.Errorf("fetch %s: %w", redact(p.first), err)
	}
	return fmt.Errorf("fetch %s, redirected to %s: %w", redact(p.first), redact(p.current), err)
}

const schemes = "http, https, file, s3 or nats-object"

// parseURL reads the URL of a command. Its errors hold nothing of a secret.
func parseURL(raw string) (*url.URL, error) {
	if len(raw) > maxURL {
		return nil, over(limitURL, fmt.Errorf("the URL has %d bytes; the limit is %d", len(raw), maxURL))
	}
	u, err := url.Parse(raw)
	if err != nil {
		// The error of url.Parse quotes the whole URL, and its cause may quote a part:
		// neither is repeated.
		return nil, fmt.Errorf("%q is not a URL; is a character in it not percent-encoded?", unparsed(raw))
	}
	switch u.Scheme {
	case "http", "https":
		return u, checkWebURL(u)
	case "file":
		return u, nil
	case "s3", "nats-object":
		return u, checkStoreURL(u)
	case "":
		return nil, fmt.Errorf("%q has no scheme; want %s", unparsed(raw), schemes)
	}
	return nil, fmt.Errorf("scheme %q is not known; want %s", u.Scheme, schemes)
}

func checkWebURL(u *url.URL) error {
	if u.Opaque != "" || u.Hostname() == "" {
		return fmt.Errorf("%s names no host", redact(u))
	}
	if len(u.Hostname()) > maxHost {
		return over(limitURL, fmt.Errorf("the host of the URL has %d bytes; the limit of names is %d", len(u.Hostname()), maxHost))
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return fmt.Errorf("%s has port %s; want 1 to 65535", redact(u), p)
		}
	}
	return nil
}

// checkStoreURL checks a URL of the form SCHEME://BUCKET/NAME.
func checkStoreURL(u *url.URL) error {
	switch {
	case u.Opaque != "" || u.Host == "" || len(u.Path) < 2 || u.Port() != "":
		return fmt.Errorf("%s names no object; want %s://BUCKET/NAME", redact(u), u.Scheme)
	case u.User != nil || u.RawQuery != "" || u.ForceQuery:
		return fmt.Errorf("%s: the URL of an object has no user and no query; a ? in a name is written %%3F", redact(u))
	}
	return nil
}

// unparsed returns as much of a malformed URL as is no secret.
func unparsed(raw string) string {
	if i := strings.IndexAny(raw, "?#"); i >= 0 {
		raw = raw[:i]
	}
	if i := strings.LastIndexByte(raw, '@'); i >= 0 {
		raw = "..." + raw[i:]
	}
	return raw[:min(len(raw), maxReason)]
}

// redact returns a URL as messages and documents show it.
func redact(u *url.URL) string {
	clean := *u
	clean.User = nil
	clean.Fragment, clean.RawFragment = "", ""
	clean.RawQuery = redactQuery(u.RawQuery)
	return clean.String()
}

// redactQuery replaces the values of secret parameters, and leaves all else
// byte for byte as it is.
func redactQuery(query string) string {
	var b strings.Builder
	for query != "" {
		end := strings.IndexAny(query, "&;")
		if end < 0 {
			end = len(query)
		}
		name, value, _ := strings.Cut(query[:end], "=")
		if value != "" && secretName(name) {
			b.WriteString(name + "=REDACTED")
		} else {
			b.WriteString(query[:end])
		}
		if end < len(query) {
			b.WriteByte(query[end])
			end++
		}
		query = query[end:]
	}
	return b.String()
}

// secretName reports whether a query parameter is likely to carry a secret. It
// rather takes one too many: the run's input still has the URL as it was given.
func secretName(name string) bool {
	if plain, err := url.QueryUnescape(name); err == nil {
		name = plain
	}
	name = strings.ToLower(name)
	switch name {
	case "key", "sig", "pwd", "code", "sas":
		return true
	}
	for _, part := range []string{
		"token", "secret", "passw", "signature", "credential", "apikey", "api_key", "api-key",
		"accesskey", "access_key", "access-key", "auth", "session", "jwt",
	} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

// redirectTarget returns where a Location header leads. User information in it
// has no effect: credentials are only ever those of the first URL.
func redirectTarget(from *url.URL, location string) (*url.URL, error) {
	if len(location) > maxURL {
		return nil, over(limitURL, fmt.Errorf("the redirect has %d bytes; the limit is %d", len(location), maxURL))
	}
	to, err := from.Parse(location)
	if err != nil {
		return nil, fmt.Errorf("the redirect to %q is not a URL", unparsed(location))
	}
	if to.Scheme != "http" && to.Scheme != "https" {
		return nil, fmt.Errorf("a redirect to scheme %q is not followed", to.Scheme)
	}
	if from.Scheme == "https" && to.Scheme == "http" {
		return nil, errors.New("a redirect from https to http is not followed; fetch the http URL itself if that is meant")
	}
	return to, checkWebURL(to)
}

// sameOrigin reports whether credentials for one URL may go to another.
func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && portOf(a) == portOf(b)
}

func portOf(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}
