package daemon

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/alecthomas/kong"
	"github.com/lmittmann/tint"
	"golang.org/x/term"
)

// Connection says where the broker is. Flags and variables are those of the nats CLI,
// but for NATS_INBOX_PREFIX, which has no variable there.
type Connection struct {
	Server string `help:"NATS server URL; several with commas between." env:"NATS_URL" placeholder:"URL"`
	Creds  string `help:"NATS credentials file." env:"NATS_CREDS" type:"path" placeholder:"FILE"`
	NKey   string `name:"nkey" help:"NATS nkey seed file." env:"NATS_NKEY" type:"path" placeholder:"FILE"`
	CA     string `name:"tlsca" help:"Certificate authority of the server." env:"NATS_CA" type:"path" placeholder:"FILE"`
	Cert   string `name:"tlscert" help:"Client certificate." env:"NATS_CERT" type:"path" placeholder:"FILE"`
	Key    string `name:"tlskey" help:"Key of the client certificate." env:"NATS_KEY" type:"path" placeholder:"FILE"`
	// InboxPrefix of a program defaults to _INBOX_ and its name, which is what the
	// permissions of segue keys allow it.
	InboxPrefix string `name:"inbox-prefix" help:"Where answers come: what the permissions of this user let it subscribe to." env:"NATS_INBOX_PREFIX" placeholder:"PREFIX"`

	// Lease is how long a command belongs to its worker without a sign of life. Only
	// tests have a reason to change it, for all programs of a system alike. Defaults
	// to [journal.Lease].
	Lease time.Duration `hidden:"" env:"SEGUE_LEASE"`
}

// Logging says what is logged. Lines go to standard error: for people on a
// terminal, as JSON otherwise.
type Logging struct {
	Level string `name:"log-level" help:"Least level that is logged: debug, info, warn or error." env:"SEGUE_LOG_LEVEL" enum:",debug,info,warn,error" default:"" placeholder:"LEVEL"`
}

// Logger returns a logger that writes to w, from the given level up unless the
// user chose another.
func (l Logging) Logger(w io.Writer, level slog.Level) *slog.Logger {
	if l.Level != "" {
		_ = level.UnmarshalText([]byte(l.Level)) // the enum lets nothing else through
	}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return slog.New(tint.NewTextHandler(w, &tint.Options{Level: level, TimeFormat: "15:04:05.000"}))
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
}

// Parser returns the options that all command lines of Segue share.
func Parser(name, description string) []kong.Option {
	return []kong.Option{
		kong.Name(name),
		kong.Description(description),
		kong.Vars{"version": name + " " + Version()},
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true}),
	}
}

// Usage writes how a command line that could not be parsed should look. It goes to
// standard error: standard output is for what was asked for.
func Usage(w io.Writer, err error) {
	var wrong *kong.ParseError
	if errors.As(err, &wrong) {
		wrong.Context.Stdout = w
		_ = wrong.Context.PrintUsage(true) // a terminal that is gone reads no usage
	}
}
