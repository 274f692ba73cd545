package fetch

import (
	"bytes"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"segue/document"
)

// tree makes outside/secret.txt and an allowed directory with some of everything.
func tree(t *testing.T) (allowed, outside string) {
	t.Helper()
	base := t.TempDir()
	allowed, outside = filepath.Join(base, "allowed"), filepath.Join(base, "outside")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Join(allowed, "sub"), 0o755))
	must(os.MkdirAll(outside, 0o755))
	must(os.WriteFile(filepath.Join(outside, "secret.txt"), []byte("secret"), 0o600))
	must(os.WriteFile(filepath.Join(allowed, "a b%.json"), []byte("[1]"), 0o600))
	must(os.WriteFile(filepath.Join(allowed, "sub", "list.CSV"), []byte("a\n1\n"), 0o600))
	must(os.WriteFile(filepath.Join(allowed, "unknown"), []byte(`{"a": 1}`), 0o600))
	must(os.WriteFile(filepath.Join(allowed, "empty.json"), nil, 0o600))
	must(os.WriteFile(filepath.Join(allowed, "large"), make([]byte, 1001), 0o600))
	must(os.Symlink("sub/list.CSV", filepath.Join(allowed, "inside")))
	must(os.Symlink("../outside/secret.txt", filepath.Join(allowed, "escape")))
	must(os.Symlink(filepath.Join(outside, "secret.txt"), filepath.Join(allowed, "absolute")))
	must(os.Symlink("../outside", filepath.Join(allowed, "door")))
	must(os.Symlink("loop", filepath.Join(allowed, "loop")))
	must(os.Symlink("/dev/zero", filepath.Join(allowed, "zero")))
	must(os.Mkdir(allowed+"-not", 0o755))
	must(os.WriteFile(allowed+"-not/x", []byte("secret"), 0o600))
	must(syscall.Mkfifo(filepath.Join(allowed, "fifo"), 0o600))
	return allowed, outside
}

func fileURL(path ...string) string {
	return (&url.URL{Scheme: "file", Path: filepath.Join(path...)}).String()
}

func TestFetchFile(t *testing.T) {
	t.Parallel()
	allowed, _ := tree(t)
	for raw, want := range map[string]struct{ text, media string }{
		fileURL(allowed, "a b%.json"):               {"[1]", "application/json"},
		fileURL(allowed, "sub", "list.CSV"):         {"a\n1\n", "text/csv"},
		fileURL(allowed, "unknown"):                 {`{"a": 1}`, "application/json"},
		fileURL(allowed, "empty.json"):              {"", "application/json"},
		fileURL(allowed, "inside"):                  {"a\n1\n", ""},
		"file:" + allowed + "/sub/../unknown":       {`{"a": 1}`, "application/json"},
		"file://localhost" + allowed + "/%75nknown": {`{"a": 1}`, "application/json"},
		"FILE://" + allowed + "/sub%2flist.CSV":     {"a\n1\n", "text/csv"},
	} {
		f, docs := newFetcher(t, Config{AllowFiles: []string{allowed}})
		doc, err := fetchURL(t.Context(), f, raw)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		if got := text(t, docs, doc); got != want.text || (want.media != "" && doc.MediaType != want.media) {
			t.Errorf("%s: got %q of %q, want %q of %q", raw, got, doc.MediaType, want.text, want.media)
		}
		if !strings.HasPrefix(doc.URL, "file:") || doc.FetchedAt.IsZero() {
			t.Errorf("%s: document has URL %q, time %v", raw, doc.URL, doc.FetchedAt)
		}
	}
}

func TestFetchFileRefuses(t *testing.T) {
	t.Parallel()
	allowed, outside := tree(t)
	for raw, want := range map[string]string{
		fileURL(outside, "secret.txt"):                              CodeFileRefused,
		"file://" + allowed + "/../outside/secret.txt":              CodeFileRefused,
		"file://" + allowed + "/%2e%2e/outside/secret.txt":          CodeFileRefused,
		"file://" + allowed + "/sub%2f..%2f..%2foutside/secret.txt": CodeFileRefused,
		"file://" + allowed + "-not/x":                              CodeFileRefused,
		fileURL(allowed, "escape"):                                  CodeFileRefused,
		fileURL(allowed, "absolute"):                                CodeFileRefused,
		fileURL(allowed, "door", "secret.txt"):                      CodeFileRefused,
		fileURL(allowed, "loop"):                                    CodeFileRefused,
		fileURL(allowed, "zero"):                                    CodeFileRefused,
		fileURL(allowed, "fifo"):                                    CodeFileRefused,
		fileURL(allowed, "sub"):                                     CodeFileRefused,
		fileURL(allowed):                                            CodeFileRefused,
		fileURL(allowed, strings.Repeat("x", 300)):                  CodeFileRefused,
		"file:///dev/zero":                                          CodeFileRefused,
		"file:///etc/passwd":                                        CodeFileRefused,
		fileURL(allowed, "nothing"):                                 CodeNotFound,
		fileURL(allowed, "unknown", "below"):                        CodeNotFound,
		fileURL(allowed, "large"):                                   CodeTooLarge,
		"file://example.com" + allowed + "/unknown":                 CodeBadURL,
		"file://ann@" + allowed + "/unknown":                        CodeBadURL,
		"file:unknown":                                              CodeBadURL,
		"file:../outside/secret.txt":                                CodeBadURL,
		"file:":                                                     CodeBadURL,
		"file://" + allowed + "/unknown?x":                          CodeBadURL,
		"file://" + allowed + "/unknown%00.json":                    CodeBadURL,
	} {
		f, docs := newFetcher(t, Config{AllowFiles: []string{allowed}, MaxDocument: 1000})
		_, err := fetchURL(within(t, 5*time.Second), f, raw)
		wantFailure(t, err, want, true)
		if len(docs.Names()) != 0 {
			t.Errorf("%s: a document was left behind", raw)
		}
	}
}

func TestFetchFileNotAllowed(t *testing.T) {
	t.Parallel()
	allowed, _ := tree(t)
	f, _ := newFetcher(t, Config{})
	_, err := fetchURL(t.Context(), f, fileURL(allowed, "unknown"))
	wantFailure(t, err, CodeFileRefused, true, "--allow-files "+allowed)
}

// Of two allowed directories the inner one counts, and a relative one is meant
// from where the program runs.
func TestAllowedDir(t *testing.T) {
	t.Parallel()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	f, err := NewFetcher(Config{AllowFiles: []string{"/", ".", ".."}}, document.NewMemory("TEST"))
	if err != nil {
		t.Fatal(err)
	}
	if dir, name, err := f.allowedDir(filepath.Join(here, "x", "y")); dir != here || name != filepath.Join("x", "y") || err != nil {
		t.Errorf("got %s, %s, %v", dir, name, err)
	}
}

func TestFileReader(t *testing.T) {
	t.Parallel()
	for size, whole := range map[int64]bool{9: false, 10: true, 11: false} {
		u, _ := parseURL("file:///x")
		tr := &transfer{ctx: t.Context(), at: place{u, u}, max: 100, ratio: 1}
		b := &body{tr, &fileReader{ctx: t.Context(), r: bytes.NewReader(make([]byte, 10)), left: size}}
		_, err := bytes.NewBuffer(nil).ReadFrom(b)
		if whole && err != nil {
			t.Error(err)
		}
		if !whole {
			wantFailure(t, err, CodeBrokenBody, false, "changed its size")
		}
	}
}
