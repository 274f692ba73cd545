package access

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

const (
	postgresFolder = "postgres"
	passwordFile   = "password" // in PostgreSQL's folder, for POSTGRES_PASSWORD_FILE
	passFile       = "pgpass"   // in the saver's, for PGPASSFILE
)

// Postgres is a PostgreSQL that the saver shares a password with.
type Postgres struct{ Host, Port, Database string }

// ParsePostgres reads HOST:PORT/DATABASE.
func ParsePostgres(text string) (Postgres, error) {
	u, err := url.Parse("postgres://" + text)
	if err != nil || u.Hostname() == "" || u.Port() == "" || len(u.Path) < 2 || u.User != nil || u.RawQuery != "" || strings.ContainsAny(text, `\ `) {
		return Postgres{}, fmt.Errorf("%.100q: want HOST:PORT/DATABASE, such as postgres:5432/segue", text)
	}
	return Postgres{u.Hostname(), u.Port(), u.Path[1:]}, nil
}

// share makes a password for PostgreSQL's user, who is called as the database, if
// there is none, and lets the saver know it. It says whether it made one.
func (p Postgres) share(dir string) (made bool, err error) {
	folder := filepath.Join(dir, postgresFolder)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return false, fmt.Errorf("make folder of PostgreSQL: %w", err)
	}
	file := filepath.Join(folder, passwordFile)
	password, err := read(file)
	if errors.Is(err, fs.ErrNotExist) {
		password, made = []byte(rand.Text()), true
		err = replace(file, password, 0o444) // PostgreSQL runs as a user of its own
	}
	if err != nil {
		return false, fmt.Errorf("password of PostgreSQL: %w", err)
	}
	escape := strings.NewReplacer(`\`, `\\`, ":", `\:`)
	line := []string{p.Host, p.Port, p.Database, p.Database, strings.TrimSpace(string(password))}
	for i := range line {
		line[i] = escape.Replace(line[i])
	}
	return made, replace(filepath.Join(dir, "saver", passFile), []byte(strings.Join(line, ":")+"\n"), 0o600)
}

// String returns HOST:PORT/DATABASE.
func (p Postgres) String() string { return net.JoinHostPort(p.Host, p.Port) + "/" + p.Database }
