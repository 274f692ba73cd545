package jetstream

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// connectTimeout bounds one attempt to connect to one server.
	connectTimeout = 5 * time.Second
	// reconnectWait is the pause between attempts to reconnect, which go on for ever.
	reconnectWait = 250 * time.Millisecond
	// reconnectBuffer is how much may be published while disconnected, in bytes.
	// What exceeds it fails at once and is tried again by who sent it.
	reconnectBuffer = 8 << 20
	// pingInterval and maxPings find a connection that is dead without saying so.
	pingInterval = 10 * time.Second
	maxPings     = 2
)

// ConnectOptions say how to reach a broker. The names are those of the nats
// CLI's environment: NATS_URL, NATS_CREDS, NATS_NKEY, NATS_CA, NATS_CERT, NATS_KEY.
type ConnectOptions struct {
	// URL is one address or several, separated by commas. Required.
	URL string
	// Creds is a file with a user's JWT and key. Optional.
	Creds string
	// NKey is a file with a user's seed. Optional.
	NKey string
	// CA is a file with the certificates of authorities to trust. Optional.
	CA string
	// Cert and Key are files with the client's certificate. Optional, both or none.
	Cert, Key string
	// Name is shown by the broker's reports. Defaults to "segue".
	Name string
	// InboxPrefix replaces _INBOX, so that a user need not be allowed to read the
	// answers to others. Optional.
	InboxPrefix string
	// Wait is how long to go on trying when the broker cannot be reached at first.
	// Defaults to 0: one attempt.
	Wait time.Duration
	// Log takes what becomes of the connection. Defaults to no log.
	Log *slog.Logger
	// Options are further options of the client. Optional.
	Options []nats.Option
}

// Connect connects to a broker. Once connected the connection is kept: it is
// made again for as long as it takes, until it is closed. The error names the
// address and what to do.
func Connect(ctx context.Context, o ConnectOptions) (*nats.Conn, error) {
	o.Name = cmp.Or(o.Name, "segue")
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	options, err := o.options()
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	for wait := (backoff{}); ; {
		nc, err := nats.Connect(o.URL, options...)
		if err == nil {
			return nc, nil
		}
		err = fmt.Errorf("connect to broker %s: %w%s", redact(o.URL), hideSecrets(err, o.URL), hint(err))
		switch {
		case ctx.Err() != nil:
			return nil, fmt.Errorf("%w (%w)", err, ctx.Err())
		case time.Since(begin) >= o.Wait || !reachable(err):
			return nil, err
		}
		o.Log.Info("waiting for the broker", "error", err)
		if ctxErr := wait.sleep(ctx); ctxErr != nil {
			return nil, fmt.Errorf("%w (%w)", err, ctxErr)
		}
	}
}

func (o ConnectOptions) options() ([]nats.Option, error) {
	switch {
	case o.URL == "":
		return nil, errors.New("connect to broker: no address: give one such as nats://127.0.0.1:4222")
	case (o.Cert == "") != (o.Key == ""):
		return nil, errors.New("connect to broker: a client certificate needs both its files, Cert and Key")
	case o.Creds != "" && o.NKey != "":
		return nil, errors.New("connect to broker: Creds and NKey exclude each other")
	}
	options := []nats.Option{
		nats.Name(o.Name),
		nats.Timeout(connectTimeout),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(reconnectWait),
		nats.ReconnectBufSize(reconnectBuffer),
		nats.PingInterval(pingInterval),
		nats.MaxPingsOutstanding(maxPings),
		nats.NoCallbacksAfterClientClose(),
	}
	options = append(options, o.report()...)
	if o.Creds != "" {
		options = append(options, nats.UserCredentials(o.Creds))
	}
	if o.NKey != "" {
		nkey, err := nats.NkeyOptionFromSeed(o.NKey)
		if err != nil {
			return nil, fmt.Errorf("connect to broker: read nkey file %s: %w", o.NKey, err)
		}
		options = append(options, nkey)
	}
	if o.CA != "" {
		options = append(options, nats.RootCAs(o.CA))
	}
	if o.Cert != "" {
		options = append(options, nats.ClientCert(o.Cert, o.Key))
	}
	if o.InboxPrefix != "" {
		options = append(options, nats.CustomInboxPrefix(o.InboxPrefix))
	}
	return append(options, o.Options...), nil
}

// report logs what becomes of a connection.
func (o ConnectOptions) report() []nats.Option {
	log := o.Log
	return []nats.Option{
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			log.Warn("disconnected from broker, reconnecting", "error", err)
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			log.Info("reconnected to broker", "url", nc.ConnectedUrlRedacted())
		}),
		nats.ClosedHandler(func(nc *nats.Conn) {
			log.Error("connection to broker closed", "error", nc.LastError())
		}),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			subject := ""
			if sub != nil {
				subject = sub.Subject
			}
			log.Error("broker reports an error", "error", err, "subscription", subject)
		}),
	}
}

// reachable says that trying again may help.
func reachable(err error) bool {
	return !untrusted(err) && !unreadable(err) && !errors.Is(err, nats.ErrAuthorization) && !errors.Is(err, nats.ErrAuthExpired) &&
		!errors.Is(err, nats.ErrAuthRevoked) && !errors.Is(err, nats.ErrSecureConnRequired)
}

func hint(err error) string {
	switch {
	case errors.Is(err, nats.ErrNoServers):
		return ": is it running there? Start one, or give its address"
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked):
		return ": check the credentials"
	case errors.Is(err, nats.ErrSecureConnRequired):
		return ": it wants TLS: use tls:// or give its CA"
	}
	return hintTLS(err)
}

// untrusted says that the broker's certificate is not one to trust.
func untrusted(err error) bool {
	unverified := new(tls.CertificateVerificationError)
	return errors.As(err, &unverified)
}

// unreadable says that a file with certificates is of no use. The client has no
// better way to say so than words.
func unreadable(err error) bool {
	return slices.ContainsFunc([]string{"rootCA file", "root certificate from", "client certificate"}, func(words string) bool {
		return strings.Contains(err.Error(), words)
	})
}

// hintTLS says which file is missing or wrong.
func hintTLS(err error) string {
	stranger, remote := x509.HostnameError{}, new(net.OpError)
	switch {
	case errors.As(err, &stranger):
		return ": its certificate is for other names than the one it was called by"
	case untrusted(err):
		return ": give the authority that signed its certificate: --tlsca (NATS_CA)"
	case unreadable(err):
		return ": --tlsca (NATS_CA), --tlscert (NATS_CERT) and --tlskey (NATS_KEY) are to be files in PEM"
	case errors.As(err, &remote) && remote.Op == "remote error", errors.Is(err, nats.ErrTLS):
		return ": it wants a certificate of an authority that it trusts: give --tlscert and --tlskey (NATS_CERT, NATS_KEY)"
	}
	return ""
}

// redact takes user names and passwords out of addresses.
func redact(addresses string) string {
	list := strings.Split(addresses, ",")
	for i, a := range list {
		a = strings.TrimSpace(a)
		if _, host, found := cutLast(a, "@"); found {
			scheme, _, _ := strings.Cut(a, "://")
			a = scheme + "://" + host
			if !strings.Contains(list[i], "://") {
				a = host
			}
		}
		list[i] = a
	}
	return strings.Join(list, ",")
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// hideSecrets replaces an error that quotes the address, as that of a URL that
// cannot be parsed does.
func hideSecrets(err error, addresses string) error {
	if quoted := new(url.Error); errors.As(err, &quoted) && strings.Contains(addresses, "@") {
		return quoted.Err
	}
	return err
}
