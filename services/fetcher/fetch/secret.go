package fetch

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// secretFile is what a secret may be called.
var secretFile = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)

// secret reads a secret for the origin of a URL. The file lies in a folder named
// for that origin, so that who can start runs cannot have it sent elsewhere. It
// is read each time: who replaces it need not restart anything. Errors name the
// file, and nothing that is in it.
func (f *Fetcher) secret(u *url.URL, name string) (string, error) {
	if f.cfg.Secrets == "" {
		return "", fmt.Errorf("secret %.128q is asked for, and there are none; give their folder with --secrets", name)
	}
	if !secretFile.MatchString(name) {
		return "", fmt.Errorf("%.128q is no name of a secret; want letters, digits, _, . and -", name)
	}
	folder := secretFolder(u)
	if strings.ContainsAny(folder, `/\`) {
		return "", fmt.Errorf("host %.128q can have no secrets", folder) // unreachable unless url.Parse changes
	}
	file := filepath.Join(folder, name)
	data, err := readBelow(f.cfg.Secrets, file, maxHeaderValue)
	if err != nil {
		return "", fmt.Errorf("secret %s: %w", filepath.Join(f.cfg.Secrets, file), err)
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if text == "" || !httpguts.ValidHeaderFieldValue(text) {
		return "", fmt.Errorf("secret %s: it is empty or holds control characters", filepath.Join(f.cfg.Secrets, file))
	}
	return text, nil
}

// secretFolder names the folder of an origin's secrets: the host for https on its
// own port, host:port for all else, so that nothing goes over a line in the clear
// that was not put there for it.
func secretFolder(u *url.URL) string {
	host := strings.ToLower(u.Hostname())
	if u.Scheme == "https" && portOf(u) == "443" {
		return host
	}
	return net.JoinHostPort(host, portOf(u))
}

// readBelow reads a small file without leaving dir, whatever symbolic links say.
func readBelow(dir, name string, limit int64) ([]byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, reasonOnly(err)
	}
	defer root.Close() //nolint:errcheck // it was only read
	file, err := root.Open(name)
	if err != nil {
		return nil, reasonOnly(err)
	}
	defer file.Close() //nolint:errcheck // it was only read
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = over(limitSecret, fmt.Errorf("it is over %d bytes", limit))
	}
	return data, reasonOnly(err)
}

// reasonOnly leaves the path out of an error: the caller names it.
func reasonOnly(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

func secretFailure(at place, err error) error { return permanent(at, CodeSecretMissing, err) }
