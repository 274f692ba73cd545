package fetch

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"segue/document"
)

const accessKey = "AKIDEXAMPLE"

// bucket is an S3 server with one bucket that checks signatures.
func bucket(t *testing.T, objects map[string]string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		signed, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
		if err != nil || !strings.Contains(r.Header.Get("Authorization"), "Credential="+accessKey+"/") {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		// Signed anew by the same rules, with nothing but what the signature covers.
		again, _ := http.NewRequest(http.MethodGet, "http://"+r.Host+r.URL.RequestURI(), nil)
		again.URL.RawPath = r.URL.EscapedPath()
		for _, name := range []string{"X-Amz-Content-Sha256"} {
			again.Header.Set(name, r.Header.Get(name))
		}
		credentials := aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: hidden, SessionToken: r.Header.Get("X-Amz-Security-Token")}
		v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).
			SignHTTP(r.Context(), credentials, again, r.Header.Get("X-Amz-Content-Sha256"), "s3", "eu-central-1", signed)
		if again.Header.Get("Authorization") != r.Header.Get("Authorization") {
			t.Errorf("%s is signed %s, want %s", r.URL, r.Header.Get("Authorization"), again.Header.Get("Authorization"))
			w.WriteHeader(http.StatusForbidden)
			return
		}
		body, ok := objects[r.URL.EscapedPath()]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("ETag", fmt.Sprintf("%q", body))
		if r.Header.Get("If-None-Match") == fmt.Sprintf("%q", body) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		io.WriteString(w, body)
	}
}

func TestFetchS3(t *testing.T) {
	t.Parallel()
	endpoint := serve(t, bucket(t, map[string]string{
		"/data/list.csv": "a,b\n", "/data/a%20b/%C3%B6%2B%2A%28%29%3D%40.json": `[1]`, "/data/a//b/../c": "c", "/data/q%3Fx%23y": "q",
	}))
	secrets := keep(t, hostport(t, endpoint), map[string]string{s3AccessKey: accessKey, s3SecretKey: hidden, s3SessionToken: "token"})
	cfg := Config{S3Endpoint: endpoint, S3Region: "eu-central-1", Secrets: secrets}
	for raw, want := range map[string][2]string{
		"s3://data/list.csv":                    {"a,b\n", "text/csv"},
		"s3://data/a%20b/ö+*()=@.json":          {"[1]", "application/json"},
		"s3://data/a%20b/%C3%B6%2B*()=%40.json": {"[1]", "application/json"},
		"s3://data/a//b/../c":                   {"c", "text/plain; charset=utf-8"},
		"s3://data/q%3Fx%23y":                   {"q", "text/plain; charset=utf-8"},
	} {
		f, docs := newFetcher(t, cfg)
		out, err := fetchInput(t, f, Input{URL: raw})
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		if got := text(t, docs, out.Document); got != want[0] || out.Document.MediaType != want[1] || !strings.HasPrefix(out.Document.URL, "s3://data/") {
			t.Errorf("%s: %q of %s at %s", raw, got, out.Document.MediaType, out.Document.URL)
		}
		known := Known{SHA256: out.Document.SHA256, Validators: out.Validators}
		if out, err := fetchInput(t, f, Input{URL: raw, Known: &known}); err != nil || !out.Unchanged {
			t.Errorf("%s again: %+v, %v", raw, out, err)
		}
	}
	f, _ := newFetcher(t, cfg)
	_, err := fetchInput(t, f, Input{URL: "s3://data/none"})
	wantFailure(t, err, CodeNotFound, true, "s3://data/none")
	_, err = fetchInput(t, f, Input{URL: "s3://data/list.csv", Auth: &Auth{Bearer: &SecretRef{s3SecretKey}}})
	wantFailure(t, err, CodeBadHeader, true)
}

func TestFetchS3Refuses(t *testing.T) {
	t.Parallel()
	endpoint := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			w.WriteHeader(http.StatusBadRequest)
		}
		io.WriteString(w, "public")
	})
	f, _ := newFetcher(t, Config{})
	_, err := fetchInput(t, f, Input{URL: "s3://data/x"})
	wantFailure(t, err, CodeAddressRefused, true, "--s3-endpoint")

	// The endpoint is an address like any other.
	inside, err := NewFetcher(Config{S3Endpoint: endpoint}, document.NewMemory("TEST"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = fetchInput(t, inside, Input{URL: "s3://data/x"})
	wantFailure(t, err, CodeAddressRefused, true, "--allow-net")

	// Without credentials it asks as anybody may; with half of them not at all.
	f, _ = newFetcher(t, Config{S3Endpoint: endpoint})
	if _, err := fetchInput(t, f, Input{URL: "s3://data/x"}); err != nil {
		t.Error(err)
	}
	f, _ = newFetcher(t, Config{S3Endpoint: endpoint, Secrets: keep(t, hostport(t, endpoint), map[string]string{s3AccessKey: accessKey})})
	_, err = fetchInput(t, f, Input{URL: "s3://data/x"})
	wantFailure(t, err, CodeSecretMissing, true, s3SecretKey)
}

// A redirect out of the endpoint gets no signature.
func TestFetchS3Redirect(t *testing.T) {
	t.Parallel()
	away := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" || r.Header.Get("X-Amz-Security-Token") != "" {
			t.Error("the signature left the endpoint")
		}
	})
	endpoint := serve(t, http.RedirectHandler(away, http.StatusTemporaryRedirect).ServeHTTP)
	f, _ := newFetcher(t, Config{S3Endpoint: endpoint, Secrets: keep(t, hostport(t, endpoint), map[string]string{s3AccessKey: accessKey, s3SecretKey: hidden, s3SessionToken: "token"})})
	if _, err := fetchInput(t, f, Input{URL: "s3://data/x"}); err != nil {
		t.Error(err)
	}
}

// However a key is spelled, it stays in its bucket at the endpoint.
func FuzzS3URL(f *testing.F) {
	for _, s := range []string{"s3://b/k", "s3://b/../x", "s3://b/%2e%2e/x", "s3://b/a%00b", "s3://b//k", "s3://b%2fc/k", "s3://b/ö"} {
		f.Add(s)
	}
	fetcher, _ := newFetcher(f, Config{S3Endpoint: "https://s3.example/base/"})
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := parseURL(raw)
		if err != nil || u.Scheme != "s3" {
			return
		}
		web := fetcher.webURL(u)
		back, err := url.Parse(web.String())
		if err != nil || back.Host != "s3.example" || back.Path != "/base/"+u.Host+u.Path || back.RawQuery != "" || back.Fragment != "" {
			t.Errorf("%q is requested at %q (%v)", raw, web, err)
		}
	})
}
