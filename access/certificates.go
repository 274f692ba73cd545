package access

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// TLS says which certificates [Init] makes. They are those of an authority whose
// key is thrown away: nobody can make more of them, so all are made at once, when
// one is missing, ends soon or is for other hosts.
type TLS struct {
	Mode TLSMode `json:"mode"`
	// Hosts are the names and addresses that the broker is called by. Defaults to
	// [DefaultHosts].
	Hosts []string `json:"hosts,omitempty"`
}

// TLSMode says who shows a certificate.
type TLSMode string

// The modes.
const (
	TLSOff    TLSMode = "off"
	TLSServer TLSMode = "server" // the broker
	TLSMutual TLSMode = "mutual" // and its clients
)

// DefaultHosts are what the broker is called by in compose.yaml, and on the machine.
var DefaultHosts = []string{"nats", "localhost", "127.0.0.1", "::1"}

const (
	// CertificateLife is how long a certificate is valid.
	CertificateLife = 2 * 365 * 24 * time.Hour
	// CertificateRest is how long it is valid at least when Init is called, or new
	// ones are made.
	CertificateRest = 30 * 24 * time.Hour
	// maxHosts bounds the names in a certificate.
	maxHosts = 100
)

// The names of certificates and their keys.
const (
	authorityFile = "ca.crt"
	serverFile    = "server.crt"
	serverKeyFile = "server.key"
	clientFile    = "client.crt"
	clientKeyFile = "client.key"
)

const noTLS = "# No TLS: segue keys init --tls makes certificates.\n"

// config is the broker's, whose files lie in folder.
func (t TLS) config(folder string) string {
	if t.Mode == TLSOff {
		return noTLS
	}
	text := fmt.Sprintf("# Written by segue keys init.\ntls {\n  cert_file: %q\n  key_file: %q\n  ca_file: %q\n",
		filepath.Join(folder, serverFile), filepath.Join(folder, serverKeyFile), filepath.Join(folder, authorityFile))
	if t.Mode == TLSMutual {
		text += "  verify: true # clients show certificates, too\n"
	}
	return text + "}\n"
}

// validate names what is wrong.
func (t TLS) validate() error {
	switch {
	case t.Mode != TLSOff && t.Mode != TLSServer && t.Mode != TLSMutual:
		return fmt.Errorf("TLS mode is %q, want %s, %s or %s", t.Mode, TLSOff, TLSServer, TLSMutual)
	case len(t.Hosts) > maxHosts:
		return fmt.Errorf("the broker's certificate is for %d hosts, at most %d are possible", len(t.Hosts), maxHosts)
	case slices.Contains(t.Hosts, ""):
		return errors.New("the broker's certificate is for a host without a name")
	}
	return nil
}

// certify makes certificates if they are asked for and not there yet.
func (t TLS) certify(dir string, identities []Identity, now time.Time) (made bool, err error) {
	broker := filepath.Join(dir, brokerFolder)
	if t.Mode != TLSOff && !t.stand(dir, identities, now) {
		if err := t.make(dir, identities, now); err != nil {
			return false, fmt.Errorf("make certificates: %w", err)
		}
		made = true
	}
	folder, err := filepath.Abs(broker) // the broker may run in another folder
	if err != nil {
		return made, fmt.Errorf("configure TLS: %w", err)
	}
	return made, replace(filepath.Join(broker, tlsFile), []byte(t.config(folder)), 0o644)
}

// stand says whether the certificates that are there can stay.
func (t TLS) stand(dir string, identities []Identity, now time.Time) bool {
	broker := filepath.Join(dir, brokerFolder)
	authority, err := read(filepath.Join(broker, authorityFile))
	if err != nil {
		return false
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	good := func(folder, certificate, key string, use x509.ExtKeyUsage, hosts []string) bool {
		c, err := readCertificate(filepath.Join(folder, certificate))
		if err != nil {
			return false
		}
		if _, err := os.Stat(filepath.Join(folder, key)); err != nil {
			return false
		}
		_, err = c.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now.Add(CertificateRest), KeyUsages: []x509.ExtKeyUsage{use}})
		return err == nil && slices.Equal(hosts, hostsOf(c))
	}
	if !good(broker, serverFile, serverKeyFile, x509.ExtKeyUsageServerAuth, hostsOf(t.named())) {
		return false
	}
	for _, i := range identities {
		folder := filepath.Join(dir, i.Name)
		if known, err := read(filepath.Join(folder, authorityFile)); err != nil || !bytes.Equal(known, authority) {
			return false
		}
		if t.Mode == TLSMutual && !good(folder, clientFile, clientKeyFile, x509.ExtKeyUsageClientAuth, nil) {
			return false
		}
	}
	return true
}

// named returns a certificate for the hosts, with nothing else in it.
func (t TLS) named() *x509.Certificate {
	c := new(x509.Certificate)
	for _, host := range t.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, host)
		}
	}
	return c
}

// hostsOf returns the hosts of a certificate, in order.
func hostsOf(c *x509.Certificate) []string {
	hosts := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		hosts = append(hosts, ip.String())
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// make makes all certificates.
func (t TLS) make(dir string, identities []Identity, now time.Time) error {
	a, err := newAuthority(now)
	if err != nil {
		return err
	}
	broker := filepath.Join(dir, brokerFolder)
	server := t.named()
	server.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	if err := a.issue("segue broker", server, filepath.Join(broker, serverFile), filepath.Join(broker, serverKeyFile)); err != nil {
		return err
	}
	for _, i := range identities {
		folder := filepath.Join(dir, i.Name)
		if err := replace(filepath.Join(folder, authorityFile), a.text, 0o600); err != nil {
			return err
		}
		if t.Mode != TLSMutual {
			continue
		}
		client := &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
		if err := a.issue(i.Name, client, filepath.Join(folder, clientFile), filepath.Join(folder, clientKeyFile)); err != nil {
			return err
		}
	}
	return replace(filepath.Join(broker, authorityFile), a.text, 0o644) // last: until it is there nothing stands
}

// authority signs certificates for as long as it is in memory.
type authority struct {
	now         time.Time
	certificate *x509.Certificate
	text        []byte
	key         *ecdsa.PrivateKey
}

func newAuthority(now time.Time) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	a := &authority{now: now, key: key}
	a.certificate = &x509.Certificate{IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign}
	a.text, err = a.sign("segue", a.certificate, key.Public())
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(a.text)
	a.certificate, err = x509.ParseCertificate(block.Bytes)
	return a, err
}

const (
	// clockSkew is how far the clock of another machine may be behind.
	clockSkew = time.Hour
	// serialBits is the length of a serial number, which is random.
	serialBits = 128
	// pemCertificate is what a block of PEM with a certificate is called.
	pemCertificate = "CERTIFICATE"
)

// sign makes a certificate for a key, with what it has beside its name and time.
func (a *authority) sign(name string, template *x509.Certificate, key any) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), serialBits))
	if err != nil {
		return nil, err
	}
	template.SerialNumber, template.Subject = serial, pkix.Name{CommonName: name}
	template.NotBefore, template.NotAfter = a.now.Add(-clockSkew), a.now.Add(CertificateLife)
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key, a.key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: der}), nil
}

// issue writes a certificate and its key.
func (a *authority) issue(name string, template *x509.Certificate, file, keyFile string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	text, err := a.sign(name, template, key.Public())
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return errors.Join(
		replace(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600),
		replace(file, text, 0o644),
	)
}

func readCertificate(file string) (*x509.Certificate, error) {
	text, err := read(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != pemCertificate {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	return x509.ParseCertificate(block.Bytes)
}
