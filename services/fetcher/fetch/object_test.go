package fetch

import (
	"context"
	"errors"
	"strings"
	"testing"

	"segue/document"
)

func TestFetchObject(t *testing.T) {
	t.Parallel()
	inbox := document.NewMemory("INBOX")
	for name, body := range map[string]string{"a/list.csv": "a,b\n", "odd ?#name": `{"a": 1}`, "big": strings.Repeat("x", 1000), "bad": "lost"} {
		if _, err := inbox.Put(t.Context(), name, strings.NewReader(body)); err != nil {
			t.Fatal(err)
		}
	}
	inbox.Corrupt("bad")
	cfg := Config{AllowBuckets: []string{"INBOX", "GONE"}, MaxDocument: 900, Objects: func(_ context.Context, bucket string) (document.Store, error) {
		if bucket == "INBOX" {
			return inbox, nil
		}
		return nil, errors.New("no such bucket")
	}}
	for raw, want := range map[string][2]string{
		"nats-object://INBOX/a/list.csv":       {"a,b\n", "text/csv"},
		"nats-object://INBOX/odd%20%3F%23name": {`{"a": 1}`, "application/json"},
	} {
		f, docs := newFetcher(t, cfg)
		out, err := fetchInput(t, f, Input{URL: raw})
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		if got := text(t, docs, out.Document); got != want[0] || out.Document.MediaType != want[1] || out.Document.URL != raw {
			t.Errorf("%s: %q of %s at %s", raw, got, out.Document.MediaType, out.Document.URL)
		}
		if out, err := fetchInput(t, f, Input{URL: raw, Known: &Known{SHA256: out.Document.SHA256}}); err != nil || !out.Unchanged {
			t.Errorf("%s again: %+v, %v", raw, out, err)
		}
	}
	f, docs := newFetcher(t, cfg)
	for raw, want := range map[string]struct {
		code      string
		permanent bool
		part      string
	}{
		"nats-object://INBOX/none":              {CodeNotFound, true, "no such object"},
		"nats-object://INBOX/big":               {CodeTooLarge, true, "--max-document"},
		"nats-object://INBOX/bad":               {CodeBrokenBody, false, "differs from its reference"},
		"nats-object://SAGA_DOCUMENTS/r/s/1":    {CodeAddressRefused, true, "--allow-bucket SAGA_DOCUMENTS"},
		"nats-object://INBOX":                   {CodeBadURL, true, "names no object"},
		"nats-object://INBOX/":                  {CodeBadURL, true, "names no object"},
		"nats-object:///x":                      {CodeBadURL, true, "names no object"},
		"nats-object://INBOX/a/list.csv?size=1": {CodeBadURL, true, "no query"},
		"nats-object://a@INBOX/a":               {CodeBadURL, true, "no user"},
	} {
		_, err := fetchInput(t, f, Input{URL: raw})
		wantFailure(t, err, want.code, want.permanent, want.part)
	}
	if _, err := fetchInput(t, f, Input{URL: "nats-object://GONE/x"}); err == nil || !strings.Contains(err.Error(), "no such bucket") {
		t.Errorf("a bucket that is gone: %v", err)
	}
	if len(docs.Names()) != 0 {
		t.Errorf("documents were left behind: %v", docs.Names())
	}
	none, _ := newFetcher(t, Config{AllowBuckets: []string{"INBOX"}})
	_, err := fetchInput(t, none, Input{URL: "nats-object://INBOX/a/list.csv"})
	wantFailure(t, err, CodeAddressRefused, true)
}
