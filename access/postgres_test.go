package access

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPostgresSharesAPassword makes one and keeps it.
func TestPostgresSharesAPassword(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	setup := Setup{Dir: dir, Postgres: &Postgres{"db.example", "5432", "segue"}}
	first, err := Init(setup)
	if err != nil {
		t.Fatal(err)
	}
	password, err := os.ReadFile(filepath.Join(dir, "postgres", "password"))
	if err != nil || len(password) < 20 || !first.Shared {
		t.Fatalf("password of %d bytes, shared %v, %v", len(password), first.Shared, err)
	}
	line, err := os.ReadFile(filepath.Join(dir, "saver", "pgpass"))
	if want := "db.example:5432:segue:segue:" + string(password) + "\n"; err != nil || string(line) != want {
		t.Errorf("the saver has %q, %v, want %q", line, err, want)
	}
	if info, err := os.Stat(filepath.Join(dir, "saver", "pgpass")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("pgpass: %v, %v", info.Mode(), err)
	}
	again, err := Init(setup)
	if err != nil {
		t.Fatal(err)
	}
	if now, err := os.ReadFile(filepath.Join(dir, "postgres", "password")); err != nil || string(now) != string(password) || again.Shared {
		t.Errorf("asked again, the password is another (%v)", err)
	}
}

func TestParsePostgres(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"postgres:5432/segue", "[::1]:5432/segue"} {
		if p, err := ParsePostgres(text); err != nil || p.String() != text {
			t.Errorf("%s: %v, %v", text, p, err)
		}
	}
	for _, text := range []string{"", "postgres", "postgres:5432", "postgres:5432/", "me:secret@postgres:5432/segue", "postgres:x/segue", "a b:1/c"} {
		if p, err := ParsePostgres(text); err == nil || !strings.Contains(err.Error(), "HOST:PORT/DATABASE") {
			t.Errorf("%q: %v, %v", text, p, err)
		}
	}
}
