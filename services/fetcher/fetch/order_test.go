package fetch

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"segue/participant"
)

const hidden = "hunter2-is-a-secret"

// keep writes secrets for a host:port and returns their directory.
func keep(t testing.TB, hostport string, secrets map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, hostport), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, value := range secrets {
		if err := os.WriteFile(filepath.Join(dir, hostport, name), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// input reads an input as it comes in a command.
func input(t testing.TB, text string) Input {
	t.Helper()
	var in Input
	if err := json.Unmarshal([]byte(text), &in); err != nil {
		t.Fatal(err)
	}
	return in
}

func hostport(t testing.TB, raw string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

func TestFetchHeaders(t *testing.T) {
	t.Parallel()
	var got http.Header
	origin := serve(t, func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Clone() })
	secrets := keep(t, hostport(t, origin), map[string]string{"token": hidden + "\n", "windows": hidden + "\r\n"})
	for name, c := range map[string]struct {
		input string
		want  map[string]string
	}{
		"plain":             {`{"headers": {"X-Api-Version": "2", "accept": "text/csv", "User-Agent": "robot"}}`, map[string]string{"X-Api-Version": "2", "Accept": "text/csv", "User-Agent": "robot"}},
		"secret":            {`{"headers": {"X-Api-Key": {"secret": "token"}}}`, map[string]string{"X-Api-Key": hidden, "Accept": "*/*", "User-Agent": DefaultUserAgent}},
		"windows line":      {`{"headers": {"X-Api-Key": {"secret": "windows"}}}`, map[string]string{"X-Api-Key": hidden}},
		"secret cookie":     {`{"headers": {"Cookie": {"secret": "token"}}}`, map[string]string{"Cookie": hidden}},
		"secret credential": {`{"headers": {"Authorization": {"secret": "token"}}}`, map[string]string{"Authorization": hidden}},
		"bearer":            {`{"auth": {"bearer": {"secret": "token"}}}`, map[string]string{"Authorization": "Bearer " + hidden}},
		"basic":             {`{"auth": {"basic": {"user": "ann", "password": {"secret": "token"}}}}`, map[string]string{"Authorization": "Basic YW5uOmh1bnRlcjItaXMtYS1zZWNyZXQ="}},
		"empty text":        {`{"headers": {"X-Empty": ""}}`, map[string]string{"X-Empty": ""}},
	} {
		f, _ := newFetcher(t, Config{Secrets: secrets})
		in := input(t, c.input)
		in.URL = origin
		out, err := fetchInput(t, f, in)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for header, want := range c.want {
			if values := got[header]; len(values) != 1 || values[0] != want {
				t.Errorf("%s: %s is %q, want %q", name, header, values, want)
			}
		}
		if data, _ := json.Marshal(out); strings.Contains(string(data), hidden) {
			t.Errorf("%s: the output holds the secret", name)
		}
	}
}

func TestFetchRefusesHeaders(t *testing.T) {
	t.Parallel()
	origin := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the origin was asked") })
	host := hostport(t, origin)
	secrets := keep(t, host, map[string]string{
		"token": hidden, "empty": "", "lines": hidden + "\nX-Evil: 1", "huge": strings.Repeat("x", maxHeaderValue+1), "nul": hidden + "\x00",
	})
	if err := os.WriteFile(filepath.Join(secrets, "outside"), []byte(hidden), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(secrets, host, "link")); err != nil {
		t.Fatal(err)
	}
	many := make(map[string]string)
	for i := range maxHeaders + 1 {
		many[fmt.Sprintf("X-%d", i)] = ""
	}
	tooMany, _ := json.Marshal(many)
	for text, want := range map[string][2]string{ // input => code, a part of the message
		`{"headers": {"authorization": "Bearer ` + hidden + `"}}`:               {CodeBadHeader, "use auth"},
		`{"headers": {"COOKIE": "` + hidden + `"}}`:                             {CodeBadHeader, "credential"},
		`{"headers": {"Host": "elsewhere"}}`:                                    {CodeBadHeader, "sets it itself"},
		`{"headers": {"content-length": "5"}}`:                                  {CodeBadHeader, "sets it itself"},
		`{"headers": {"Transfer-Encoding": "chunked"}}`:                         {CodeBadHeader, "sets it itself"},
		`{"headers": {"Connection": "X-A"}}`:                                    {CodeBadHeader, "sets it itself"},
		`{"headers": {"accept-encoding": "identity"}}`:                          {CodeBadHeader, "sets it itself"},
		`{"headers": {"range": "bytes=0-1"}}`:                                   {CodeBadHeader, "sets it itself"},
		`{"headers": {"If-None-Match": "*"}}`:                                   {CodeBadHeader, "sets it itself"},
		`{"headers": {"Proxy-Authorization": {"secret": "token"}}}`:             {CodeBadHeader, "--proxy"},
		`{"headers": {"X A": "b"}}`:                                             {CodeBadHeader, "no name of a header"},
		`{"headers": {"": "b"}}`:                                                {CodeBadHeader, "no name of a header"},
		`{"headers": {"X-A\r\nX-B": "b"}}`:                                      {CodeBadHeader, "no name of a header"},
		`{"headers": {"X-A": "b\r\nX-Evil: 1"}}`:                                {CodeBadHeader, "control characters"},
		`{"headers": {"X-A": "` + strings.Repeat("x", maxHeaderValue+1) + `"}}`: {CodeBadHeader, "over 8192 bytes"},
		`{"headers": {"X-A": "1", "x-a": "2"}}`:                                 {CodeBadHeader, "given twice"},
		`{"headers": ` + string(tooMany) + `}`:                                  {CodeBadHeader, "the limit is 32"},
		`{"auth": {}}`:                                                          {CodeBadHeader, "auth is"},
		`{"auth": {"bearer": {"secret": "token"}, "basic": {"user": "a", "password": {"secret": "token"}}}}`: {CodeBadHeader, "auth is"},
		`{"auth": {"bearer": {"secret": "token"}}, "headers": {"Authorization": {"secret": "token"}}}`:       {CodeBadHeader, "given twice"},
		`{"auth": {"bearer": {"secret": ""}}}`:                                                                        {CodeSecretMissing, "no name of a secret"},
		`{"auth": {"bearer": {"secret": "unknown"}}}`:                                                                 {CodeSecretMissing, filepath.Join(secrets, host, "unknown") + ": no such file"},
		`{"auth": {"bearer": {"secret": "../outside"}}}`:                                                              {CodeSecretMissing, "no name of a secret"},
		`{"auth": {"bearer": {"secret": ".."}}}`:                                                                      {CodeSecretMissing, "no name of a secret"},
		`{"auth": {"bearer": {"secret": "link"}}}`:                                                                    {CodeSecretMissing, "escapes"},
		`{"auth": {"bearer": {"secret": "empty"}}}`:                                                                   {CodeSecretMissing, "empty"},
		`{"auth": {"bearer": {"secret": "lines"}}}`:                                                                   {CodeSecretMissing, "control characters"},
		`{"auth": {"bearer": {"secret": "nul"}}}`:                                                                     {CodeSecretMissing, "control characters"},
		`{"auth": {"bearer": {"secret": "huge"}}}`:                                                                    {CodeSecretMissing, "over 8192 bytes"},
		`{"url": "file:///x", "headers": {"X-A": "b"}}`:                                                               {CodeBadHeader, "http and https"},
		`{"url": "http://ann:` + hidden + `@` + host + `", "auth": {"bearer": {"secret": "token"}}}`:                  {CodeBadHeader, "given twice"},
		`{"url": "http://localhost` + host[strings.Index(host, ":"):] + `", "auth": {"bearer": {"secret": "token"}}}`: {CodeSecretMissing, "no such file"},
		`{"url": "https://` + host + `/", "headers": {"X-A": {"secret": "/etc/passwd"}}}`:                             {CodeSecretMissing, "no name of a secret"},
		`{"url": "http://../", "headers": {"X-A": {"secret": "outside"}}}`:                                            {CodeSecretMissing, "no such file"},
	} {
		f, _ := newFetcher(t, Config{Secrets: secrets})
		in := input(t, text)
		if in.URL == "" {
			in.URL = origin
		}
		_, err := fetchInput(t, f, in)
		wantFailure(t, err, want[0], true, want[1])
		if strings.Contains(err.Error(), hidden) {
			t.Errorf("%.80s: the message holds the secret: %v", text, err)
		}
	}
	f, _ := newFetcher(t, Config{})
	_, err := fetchInput(t, f, Input{URL: origin, Auth: &Auth{Bearer: &SecretRef{"token"}}})
	wantFailure(t, err, CodeSecretMissing, true, "--secrets")
}

// What does not fit the types is refused without being repeated.
func TestInputErrorsKeepSecrets(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"headers": {"X-A": {"value": "` + hidden + `"}}}`, `{"headers": {"X-A": ["` + hidden + `"]}}`, `{"headers": {"X-A": null}}`,
		`{"auth": {"bearer": "` + hidden + `"}}`, `{"auth": "` + hidden + `"}`, `{"auth": {"basic": {"user": "a", "password": "` + hidden + `"}}}`,
	} {
		var in Input
		if err := json.Unmarshal([]byte(text), &in); err == nil || strings.Contains(err.Error(), hidden) {
			t.Errorf("%s gives %v", text, err)
		}
	}
}

func TestSecretFolder(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"https://API.example/x": "api.example", "https://api.example:443/": "api.example", "https://api.example:8443/": "api.example:8443",
		"http://api.example/": "api.example:80", "http://api.example:443/": "api.example:443", "http://[::1]:9/": "[::1]:9", "https://[::1:9]/": "::1:9",
	} {
		u, err := parseURL(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := secretFolder(u); got != want {
			t.Errorf("the secrets of %s are in %s, want %s", raw, got, want)
		}
	}
}

// Secrets go to the origin they are for, and are gone for good after the first
// redirect that leaves it; what is no secret to anybody goes along.
func TestFetchHeadersLeave(t *testing.T) {
	t.Parallel()
	var seen []string
	note := func(r *http.Request) {
		seen = append(seen, strings.Join([]string{r.URL.Path, r.Header.Get("Authorization"), r.Header.Get("X-Key"), r.Header.Get("X-Plain"), r.Header.Get("Accept-Language")}, "|"))
	}
	var home string
	away := serve(t, func(w http.ResponseWriter, r *http.Request) {
		note(r)
		http.Redirect(w, r, home+"/end", http.StatusFound)
	})
	home = serve(t, func(w http.ResponseWriter, r *http.Request) {
		note(r)
		switch r.URL.Path {
		case "/start":
			http.Redirect(w, r, "/inside", http.StatusFound)
		case "/inside":
			http.Redirect(w, r, away+"/outside", http.StatusFound)
		}
	})
	f, _ := newFetcher(t, Config{Secrets: keep(t, hostport(t, home), map[string]string{"a": "A", "k": "K"})})
	in := input(t, `{"auth": {"bearer": {"secret": "a"}}, "headers": {"X-Key": {"secret": "k"}, "X-Plain": "P", "Accept-Language": "de"}}`)
	in.URL = home + "/start"
	if _, err := fetchInput(t, f, in); err != nil {
		t.Fatal(err)
	}
	want := "/start|Bearer A|K|P|de /inside|Bearer A|K|P|de /outside||||de /end||||de"
	if got := strings.Join(seen, " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Whatever goes wrong, no message holds a secret.
func TestSecretsAreNotTold(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"no answer": "", "no HTTP": "220 mail\r\n", "cut": "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "401": "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
		"redirect": "HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/\r\nContent-Length: 0\r\n\r\n", "charset": "HTTP/1.1 200 OK\r\nContent-Type: text/csv; charset=x\r\n\r\na",
	} {
		origin := serveText(t, answer)
		f, _ := newFetcher(t, Config{Secrets: keep(t, hostport(t, origin), map[string]string{"a": hidden})})
		_, err := fetchInput(t, f, Input{URL: origin, Auth: &Auth{Bearer: &SecretRef{"a"}}, Headers: map[string]Value{"X-A": {Secret: "a"}}})
		if err == nil || strings.Contains(err.Error(), hidden) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A value is read as it was written, and an order is made of whatever can be read.
func FuzzInput(f *testing.F) {
	for _, s := range []string{
		`{"url": "http://h/", "headers": {"A": "b", "C": {"secret": "d"}}}`, `{"url": "s3://b/k", "known": {"sha256": "x", "etag": "\"a\""}}`,
		`{"url": "http://h/", "auth": {"basic": {"user": "a", "password": {"secret": "b"}}}}`, `{"headers": {"A": null}}`,
	} {
		f.Add(s)
	}
	fetcher, _ := newFetcher(f, Config{Secrets: keep(f, "h:80", map[string]string{"d": hidden, "b": hidden})})
	f.Fuzz(func(t *testing.T, text string) {
		var in, again Input
		if json.Unmarshal([]byte(text), &in) != nil {
			return
		}
		data, err := json.Marshal(in)
		if err == nil {
			err = json.Unmarshal(data, &again)
		}
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		o, err := fetcher.newOrder(in)
		if failed := new(participant.Error); err != nil && (!errors.As(err, &failed) || failed.Code == "" || strings.Contains(err.Error(), hidden)) {
			t.Errorf("%s: %v", text, err)
		}
		if err != nil {
			return
		}
		for name, values := range fetcher.request(t.Context(), o, hop{o.url, true}, nil).Header {
			if len(values) != 1 || strings.ContainsAny(name+values[0], "\r\n\x00") {
				t.Errorf("%s: header %q is %q", text, name, values)
			}
		}
	})
}
