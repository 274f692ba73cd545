package access

import (
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"segue/journal/jetstream"
)

// options are those of an identity on a broker with TLS.
func options(dir, url, name string) jetstream.ConnectOptions {
	folder := filepath.Join(dir, name)
	return jetstream.ConnectOptions{
		URL: url, NKey: filepath.Join(folder, SeedFile), CA: filepath.Join(folder, authorityFile),
		InboxPrefix: "_INBOX_" + name, Log: slog.New(slog.DiscardHandler),
	}
}

// connects says whether one gets in.
func connects(t *testing.T, o jetstream.ConnectOptions) error {
	t.Helper()
	nc, err := jetstream.Connect(t.Context(), o)
	if err == nil {
		defer nc.Close()
		if _, err := nc.TLSConnectionState(); err != nil {
			t.Errorf("connected without TLS: %v", err)
		}
	}
	return err
}

// TestTLS holds that who trusts the broker's authority connects over TLS, and that
// who does not is told so.
func TestTLS(t *testing.T) {
	t.Parallel()
	dir, other := t.TempDir(), t.TempDir()
	if w := mustInit(t, Setup{Dir: dir, TLS: &TLS{Mode: TLSServer, Hosts: []string{"localhost"}}}); !w.Certified {
		t.Error("no certificates were made")
	}
	mustInit(t, Setup{Dir: other, TLS: &TLS{Mode: TLSServer}})
	url := serve(t, dir, "").ClientURL()
	o := options(dir, strings.Replace(url, "127.0.0.1", "localhost", 1), "fetcher")
	if err := connects(t, o); err != nil {
		t.Errorf("connect with the authority: %v", err)
	}
	for name, test := range map[string]struct {
		change func(*jetstream.ConnectOptions)
		want   string
	}{
		"wrong authority":   {func(o *jetstream.ConnectOptions) { o.CA = filepath.Join(other, "fetcher", authorityFile) }, "give the authority that signed its certificate: --tlsca (NATS_CA)"},
		"no authority":      {func(o *jetstream.ConnectOptions) { o.CA = "" }, "give the authority that signed its certificate: --tlsca (NATS_CA)"},
		"missing authority": {func(o *jetstream.ConnectOptions) { o.CA = filepath.Join(dir, "nowhere.crt") }, "are to be files in PEM"},
		"no certificates":   {func(o *jetstream.ConnectOptions) { o.CA = filepath.Join(dir, "fetcher", SeedFile) }, "are to be files in PEM"},
		"no key":            {func(o *jetstream.ConnectOptions) { o.Cert, o.Key = o.CA, o.NKey }, "are to be files in PEM"},
		"another name":      {func(o *jetstream.ConnectOptions) { o.URL = url }, "its certificate is for other names"},
	} {
		o := o
		o.Wait = patience // for nothing: waiting mends none of this
		test.change(&o)
		if err := connects(t, o); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error is %v, want %q", name, err, test.want)
		}
	}
}

// TestMutualTLS holds that without a certificate of the right authority no client
// gets in, whatever key it has.
func TestMutualTLS(t *testing.T) {
	t.Parallel()
	dir, other := t.TempDir(), t.TempDir()
	mustInit(t, Setup{Dir: dir, TLS: &TLS{Mode: TLSMutual, Hosts: []string{"localhost", "127.0.0.1"}}})
	mustInit(t, Setup{Dir: other, TLS: &TLS{Mode: TLSMutual}})
	url := serve(t, dir, "").ClientURL()
	with := func(certificates string) jetstream.ConnectOptions {
		o := options(dir, url, "saver")
		if certificates != "" {
			o.Cert, o.Key = filepath.Join(certificates, "saver", clientFile), filepath.Join(certificates, "saver", clientKeyFile)
		}
		return o
	}
	if err := connects(t, with(dir)); err != nil {
		t.Errorf("connect with a certificate: %v", err)
	}
	for name, certificates := range map[string]string{"no certificate": "", "certificate of another authority": other} {
		if err := connects(t, with(certificates)); err == nil || !strings.Contains(err.Error(), "NATS_CERT") {
			t.Errorf("%s: error is %v, want one with NATS_CERT", name, err)
		}
	}
}

// TestCertificatesStay holds when certificates are made anew.
func TestCertificatesStay(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), time.Now()
	setup := Setup{Dir: dir, Now: func() time.Time { return now }}
	made := func(what string, want bool) {
		t.Helper()
		if w := mustInit(t, setup); w.Certified != want {
			t.Errorf("%s: certificates were made: %t, want %t", what, w.Certified, want)
		}
	}
	made("without TLS", false)
	setup.TLS = &TLS{Mode: TLSServer, Hosts: []string{"b", "10.0.0.1", "a"}}
	made("at first", true)
	made("again", false)
	setup.TLS.Hosts = []string{"a", "b", "10.0.0.1"}
	made("in another order", false)
	setup.TLS = nil
	made("as it was", false)
	setup.Services = Services{"stock": NoDocuments}
	made("for one more, who knows no authority", true)
	now = now.Add(CertificateLife - CertificateRest - time.Hour)
	made("with some time left", false)
	now = now.Add(2 * time.Hour)
	made("when they end soon", true)
	setup.TLS = &TLS{Mode: TLSServer, Hosts: []string{"c"}}
	made("for another host", true)
	setup.TLS = &TLS{Mode: TLSMutual, Hosts: []string{"c"}}
	made("for clients", true)
	setup.TLS = &TLS{Mode: TLSOff}
	made("switched off", false)
	if text := files(t, dir)["broker/tls.conf"]; text != noTLS {
		t.Errorf("TLS is off, and the broker's configuration says %q", text)
	}
}

// TestAuthorityKeyIsGone holds that nobody can make further certificates.
func TestAuthorityKeyIsGone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mustInit(t, Setup{Dir: dir, TLS: &TLS{Mode: TLSServer}})
	keys := 0
	for name, text := range files(t, dir) {
		if strings.Contains(text, "PRIVATE KEY") {
			keys++
			if name != "broker/server.key" {
				t.Errorf("%s holds a key", name)
			}
		}
	}
	if keys != 1 {
		t.Error(errors.New("the broker has no key"))
	}
	checkMode(t, filepath.Join(dir, "broker", serverKeyFile), 0o600)
}
