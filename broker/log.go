package broker

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
)

// logger hands the server's log on to slog. What the server calls a notice is
// of interest to who debugs it only.
type logger struct {
	log *slog.Logger

	mu      sync.Mutex
	trouble []string // the last errors, for an error of Start
}

// maxTrouble is how many errors of the server an error of Start may quote.
const maxTrouble = 3

func newLogger(log *slog.Logger) *logger { return &logger{log: log.With("component", "broker")} }

// last returns the errors logged so far, to be put behind a message.
func (l *logger) last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.trouble) == 0 {
		return ""
	}
	return ": " + strings.Join(l.trouble, "; ")
}

func (l *logger) remember(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.trouble) < maxTrouble {
		l.trouble = append(l.trouble, text)
	}
}

// The methods below are the server's Logger.

func (l *logger) Noticef(format string, v ...any) { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l *logger) Debugf(format string, v ...any)  { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l *logger) Tracef(format string, v ...any)  { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l *logger) Warnf(format string, v ...any)   { l.log.Warn(fmt.Sprintf(format, v...)) }

func (l *logger) Errorf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	l.remember(text)
	l.log.Error(text)
}

// Fatalf does not end the process, which is not the server's: Start returns
// the text as an error.
func (l *logger) Fatalf(format string, v ...any) { l.Errorf(format, v...) }
