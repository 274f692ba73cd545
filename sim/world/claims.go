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

func (c *claims) logger() *slog.Logger { return slog.New(listener{claims: c}) }

func (c *claims) all() []claim {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.list
}

// listener is the handler of the engines' loggers.
type listener struct {
	*claims
	run string // that the logger is about
}

// Enabled implements [slog.Handler].
func (l listener) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

// Handle implements [slog.Handler].
func (l listener) Handle(_ context.Context, r slog.Record) error {
	if !strings.HasPrefix(r.Message, "run ") && r.Level < slog.LevelError {
		return nil
	}
	r.Attrs(func(a slog.Attr) bool { l.learn(a); return true })
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, claim{said: r.Message, run: l.run})
	return nil
}

// WithAttrs implements [slog.Handler].
func (l listener) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, a := range attrs {
		l.learn(a)
	}
	return l
}

func (l *listener) learn(a slog.Attr) {
	if a.Key == "run" {
		l.run = a.Value.String()
	}
}

// WithGroup implements [slog.Handler].
func (l listener) WithGroup(string) slog.Handler { return l }
