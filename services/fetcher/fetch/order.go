package fetch

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"golang.org/x/net/http/httpguts"

	"segue/participant"
)

const (
	// maxHeaders is how many headers a command may set.
	maxHeaders = 32
	// maxHeaderValue is the longest value of one, in bytes, and the longest secret.
	maxHeaderValue = 8 << 10
)

// Value is the value of a request header: text, or the name of a secret.
type Value struct {
	Text   string
	Secret string
}

// UnmarshalJSON reads "text" or {"secret": "NAME"}. Its error does not repeat what
// it read: it may be a secret in the wrong place.
func (v *Value) UnmarshalJSON(data []byte) error {
	var ref SecretRef
	switch {
	case json.Unmarshal(data, &v.Text) == nil && string(data) != "null":
		return nil
	case json.Unmarshal(data, &ref) == nil && ref.Secret != "":
		v.Secret = ref.Secret
		return nil
	}
	return errors.New(`the value of a header is a string or {"secret": "NAME"}`)
}

// MarshalJSON is the inverse of UnmarshalJSON.
func (v Value) MarshalJSON() ([]byte, error) {
	if v.Secret != "" {
		return json.Marshal(SecretRef{v.Secret})
	}
	return json.Marshal(v.Text)
}

// SecretRef names a secret, see [Config.Secrets].
type SecretRef struct {
	Secret string `json:"secret"`
}

// Auth says how the fetcher shows who it is: one of the two.
type Auth struct {
	Bearer *SecretRef `json:"bearer,omitempty"`
	Basic  *Basic     `json:"basic,omitempty"`
}

// Basic is a user name with a secret password.
type Basic struct {
	User     string    `json:"user"`
	Password SecretRef `json:"password"`
}

// order is what a command asks for, looked through, with its secrets at hand.
type order struct {
	url    *url.URL
	known  Known
	robots bool
	max    int64 // the largest body, in bytes
	// own are the headers for the origin of the URL alone, open those that go
	// along to wherever it redirects.
	own, open http.Header
	s3        *aws.Credentials // nil: requests are not signed
}

// openHeaders say what is wanted and by whom; they tell nothing that another
// origin should not know.
var openHeaders = map[string]bool{"Accept": true, "Accept-Language": true, "User-Agent": true}

// newOrder looks through the input of a command. Its errors are failures.
func (f *Fetcher) newOrder(in Input) (*order, error) {
	u, err := parseURL(in.URL)
	if err != nil {
		return nil, participant.Permanent(CodeBadURL, fmt.Errorf("fetch: %w", err))
	}
	at, web := place{u, u}, u.Scheme == "http" || u.Scheme == "https"
	o := &order{url: u, max: f.cfg.MaxDocument, own: make(http.Header), open: make(http.Header)}
	o.robots = in.Robots && web
	if in.Known != nil {
		o.known = in.Known.checked()
	}
	if u.Scheme == "s3" && f.s3 != nil {
		if o.s3, err = f.s3Credentials(); err != nil {
			return nil, secretFailure(at, err)
		}
	}
	if (len(in.Headers) > 0 || in.Auth != nil) && !web {
		return nil, permanent(at, CodeBadHeader, errors.New("headers and auth are for http and https URLs"))
	}
	if len(in.Headers) > maxHeaders {
		return nil, permanent(at, CodeBadHeader, over(limitHeaders, fmt.Errorf("%d headers are given; the limit is %d", len(in.Headers), maxHeaders)))
	}
	for name, value := range in.Headers {
		if err := f.setHeader(o, name, value); err != nil {
			return nil, err
		}
	}
	return o, f.setAuth(o, in.Auth)
}

// setHeader adds a header that the command asks for.
func (f *Fetcher) setHeader(o *order, name string, value Value) error {
	at, canonical := place{o.url, o.url}, http.CanonicalHeaderKey(name)
	if reason := headerRefusal(canonical, value); reason != "" {
		return permanent(at, CodeBadHeader, fmt.Errorf("header %.100q: %s", name, reason))
	}
	text := value.Text
	if value.Secret != "" {
		var err error
		if text, err = f.secret(o.url, value.Secret); err != nil {
			return secretFailure(at, err)
		}
	}
	if len(text) > maxHeaderValue {
		return permanent(at, CodeBadHeader, over(limitValue, fmt.Errorf("header %s: its value is over %d bytes", canonical, maxHeaderValue)))
	}
	if !httpguts.ValidHeaderFieldValue(text) {
		return permanent(at, CodeBadHeader, fmt.Errorf("header %s: its value holds control characters", canonical))
	}
	to := o.own
	if value.Secret == "" && openHeaders[canonical] {
		to = o.open
	}
	if len(to[canonical]) > 0 {
		return permanent(at, CodeBadHeader, fmt.Errorf("header %s is given twice", canonical))
	}
	to.Set(canonical, text)
	return nil
}

// headerRefusal returns why a header may not be set, or "".
func headerRefusal(name string, value Value) string {
	switch name {
	case "Authorization", "Cookie":
		if value.Secret == "" {
			return `it is a credential; use auth, or the value {"secret": "NAME"}`
		}
	case "Host", "Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Content-Length", "Upgrade", "Expect",
		"Accept-Encoding", "Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since":
		return "the fetcher sets it itself"
	}
	switch {
	case strings.HasPrefix(name, "Proxy-"):
		return "it is not for the origin; proxies are configured with --proxy"
	case !httpguts.ValidHeaderFieldName(name):
		return "this is no name of a header"
	}
	return ""
}

// setAuth adds the credentials that the command asks for.
func (f *Fetcher) setAuth(o *order, auth *Auth) error {
	if auth == nil {
		return nil
	}
	at := place{o.url, o.url}
	if (auth.Bearer == nil) == (auth.Basic == nil) {
		return permanent(at, CodeBadHeader, errors.New(`auth is {"bearer": {"secret": "NAME"}} or {"basic": {"user": "...", "password": {"secret": "NAME"}}}`))
	}
	if o.url.User != nil || o.own.Get("Authorization") != "" {
		return permanent(at, CodeBadHeader, errors.New("credentials are given twice: by auth, and by the URL or a header"))
	}
	ref := auth.Bearer
	if ref == nil {
		ref = &auth.Basic.Password
	}
	text, err := f.secret(o.url, ref.Secret)
	if err != nil {
		return secretFailure(at, err)
	}
	request := http.Request{Header: o.own}
	if auth.Bearer != nil {
		o.own.Set("Authorization", "Bearer "+text)
	} else {
		request.SetBasicAuth(auth.Basic.User, text)
	}
	return nil
}
