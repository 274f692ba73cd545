//go:build unix

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"segue/sagas"
)

// sturdyName is the saga ingest with steps that are tried again and again: what
// fails because of the moment must not turn a run back.
const sturdyName = "sturdy"

// sturdy writes the saga's file and returns where it is.
func sturdy(b *Bench) (string, error) { return sturdyWithin(b, 30*time.Second) }

// sturdyWithin is sturdy with another timeout of each attempt: what a worker had
// in its hands when it was killed may be waited for so long.
func sturdyWithin(b *Bench, timeout time.Duration) (string, error) {
	dir, err := b.Sub(sturdyName)
	if err != nil {
		return "", err
	}
	if err := os.CopyFS(dir, sagas.Files()); err != nil {
		return "", fmt.Errorf("write saga: %w", err)
	}
	file := filepath.Join(dir, "ingest.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	again := fmt.Sprintf("timeout: %v\n    retry: {attempts: 200, backoff: 100ms, max: 1s}\n", timeout)
	changed := strings.NewReplacer(
		"saga: ingest\n", "saga: "+sturdyName+"\n",
		"timeout: 1m\n    retry: {attempts: 5, backoff: 500ms, max: 30s}\n", again,
		"timeout: 5m\n    retry: {attempts: 5, backoff: 500ms, max: 30s}\n", again,
		"timeout: 5m\n", again,
	).Replace(string(text))
	if strings.Count(changed, again) != 5 || !strings.Contains(changed, "saga: "+sturdyName) {
		return "", errors.New("write saga: ingest.yaml is not as it was")
	}
	return file, os.WriteFile(file, []byte(changed), 0o600)
}
