package world

import (
	"context"
	"log/slog"
	"strings"
	"sync"
)

// quiet is a logger that writes nothing.
var quiet = slog.New(slog.DiscardHandler)

// claims keeps what engines say of runs in their logs: their own view of things.
type claims struct {
	mu   sync.Mutex
	list []claim
}

type claim struct {
	said string
	run  string
}

func (c *claims) logger() *slog.Logger { return slog.New(listener{c}) }

func (c *claims) all() []claim {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.list
}

// listener is the handler of the engines' loggers.
type listener struct{ *claims }

// Enabled implements [slog.Handler].
func (l listener) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

// Handle implements [slog.Handler].
func (l listener) Handle(_ context.Context, r slog.Record) error {
	c := claim{said: r.Message}
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "run" {
			c.run = a.Value.String()
		}
		return true
	})
	if strings.HasPrefix(c.said, "run ") || r.Level >= slog.LevelError {
		l.mu.Lock()
		l.list = append(l.list, c)
		l.mu.Unlock()
	}
	return nil
}

// WithAttrs implements [slog.Handler].
func (l listener) WithAttrs([]slog.Attr) slog.Handler { return l }

// WithGroup implements [slog.Handler].
func (l listener) WithGroup(string) slog.Handler { return l }
