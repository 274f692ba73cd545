// Package archivetest packs texts for tests.
package archivetest

import (
	"archive/zip"
	"compress/gzip"
	"io"
	"strings"
	"testing"
)

// Gzip returns a text in gzip.
func Gzip(t testing.TB, text string) string {
	t.Helper()
	return GzipFrom(t, strings.NewReader(text))
}

// GzipFrom returns in gzip what there is to read, for texts that are too long to be
// made first.
func GzipFrom(t testing.TB, r io.Reader) string {
	t.Helper()
	var b strings.Builder
	w, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err == nil {
		_, err = io.Copy(w, r)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Zip returns a zip file of names and texts in turn. A name that ends in "/" is a
// folder, and its text has to be empty.
func Zip(t testing.TB, members ...string) string {
	t.Helper()
	var b strings.Builder
	w := zip.NewWriter(&b)
	for i := 0; i < len(members); i += 2 {
		f, err := w.Create(members[i])
		if err == nil && members[i+1] != "" {
			_, err = io.WriteString(f, members[i+1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
