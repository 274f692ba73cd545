package access

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nkeys"
)

// files reads all that is below a folder.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		all[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func mustInit(t *testing.T, s Setup) Written {
	t.Helper()
	w, err := Init(s)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestInit holds what is written, and who may look at it.
func TestInit(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	w := mustInit(t, Setup{Dir: dir, Services: Services{"stock": ReadDocuments}})
	if want := "orchestrator, fetcher, validator, parser, saver, caller, operator, observer, admin, stock"; names(w.Identities) != want || strings.Join(w.Made, ", ") != want {
		t.Errorf("identities %s, made %v", names(w.Identities), w.Made)
	}
	all := files(t, dir)
	auth := all["broker/auth.conf"]
	if strings.Contains(all["broker/tls.conf"], "{") || w.Certified {
		t.Errorf("TLS without being asked for: %q", all["broker/tls.conf"])
	}
	for _, i := range w.Identities {
		seed := strings.TrimSpace(all[i.Name+"/user.nk"])
		public, err := publicKey([]byte(seed))
		if err != nil || strings.Count(auth, public) != 1 {
			t.Errorf("%s: public key %s, error %v, %d times in the configuration", i.Name, public, err, strings.Count(auth, public))
		}
		for name, text := range all {
			if strings.Contains(text, seed) && name != i.Name+"/user.nk" {
				t.Errorf("%s has the key of %s", name, i.Name)
			}
		}
		checkMode(t, filepath.Join(dir, i.Name), 0o700)
		checkMode(t, filepath.Join(dir, i.Name, "user.nk"), 0o600)
	}
	checkMode(t, filepath.Join(dir, "broker", "auth.conf"), 0o644)
}

func checkMode(t *testing.T, path string, want fs.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != want {
		t.Errorf("%s has mode %o, want %o", path, info.Mode().Perm(), want)
	}
}

// TestInitAgain holds that a second call changes nothing, that what was removed
// comes back, and that only what is rotated gets a new key.
func TestInitAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mustInit(t, Setup{Dir: dir, Services: Services{"stock": NoDocuments}})
	first := files(t, dir)
	if w := mustInit(t, Setup{Dir: dir}); len(w.Made) > 0 {
		t.Errorf("a second call made %v", w.Made)
	}
	checkChanged(t, first, files(t, dir))

	if err := os.Remove(filepath.Join(dir, "parser", "user.nk")); err != nil {
		t.Fatal(err)
	}
	mustInit(t, Setup{Dir: dir, Rotate: []string{"saver"}})
	second := files(t, dir)
	checkChanged(t, first, second, "broker/auth.conf", "parser/user.nk", "saver/user.nk")

	w := mustInit(t, Setup{Dir: dir, Services: Services{"scan": WriteDocuments}})
	if !slices.Equal(w.Made, []string{"scan"}) {
		t.Errorf("made %v", w.Made)
	}
	checkChanged(t, second, files(t, dir), "broker/auth.conf", "broker/setup.json", "scan/user.nk")
}

func checkChanged(t *testing.T, before, after map[string]string, want ...string) {
	t.Helper()
	var changed []string
	for name, text := range after {
		if before[name] != text {
			changed = append(changed, name)
		}
	}
	slices.Sort(changed)
	if !slices.Equal(changed, want) || len(after) < len(before) {
		t.Errorf("changed: %v, want %v", changed, want)
	}
}

// TestHostileKeys holds that what is in the folder already, or asked for, is
// refused with its name and the reason when it makes no sense.
func TestHostileKeys(t *testing.T) {
	t.Parallel()
	account, err := nkeys.CreateAccount()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := account.Seed()
	if err != nil {
		t.Fatal(err)
	}
	many := Services{}
	for n := range maxServices + 1 {
		many[fmt.Sprint("s", n)] = NoDocuments
	}
	for name, test := range map[string]struct {
		files map[string]string
		setup Setup
		want  string
	}{
		"no seed":           {files: map[string]string{"saver/user.nk": "secret"}, want: "saver/user.nk: it holds no seed"},
		"seed of others":    {files: map[string]string{"saver/user.nk": string(seed)}, want: "something else than a user"},
		"empty key":         {files: map[string]string{"saver/user.nk": ""}, want: "mend the file, or remove it"},
		"endless key":       {files: map[string]string{"saver/user.nk": strings.Repeat("S", maxFile+1)}, want: "1048577 bytes, at most 1048576"},
		"key is a folder":   {files: map[string]string{"saver/user.nk/x": ""}, want: "key of saver"},
		"setup broken":      {files: map[string]string{"broker/setup.json": "{"}, want: "broker/setup.json"},
		"setup lies":        {files: map[string]string{"broker/setup.json": `{"services":{"../../etc":"none"}}`}, want: `"../../etc" is not`},
		"setup injects":     {files: map[string]string{"broker/setup.json": `{"services":{"a\"} }":"none"}}`}, want: "is not 1 to"},
		"way out":           {setup: Setup{Services: Services{"../x": NoDocuments}}, want: `service name "../x" is not 1 to`},
		"wildcard":          {setup: Setup{Services: Services{"*": NoDocuments}}, want: `service name "*"`},
		"taken":             {setup: Setup{Services: Services{"operator": NoDocuments}}, want: `"operator" is taken`},
		"catalog":           {setup: Setup{Services: Services{"catalog": NoDocuments}}, want: `"catalog" is taken`},
		"the broker":        {setup: Setup{Services: Services{"broker": NoDocuments}}, want: `"broker" is taken`},
		"other documents":   {setup: Setup{Services: Services{"stock": "all"}}, want: `service stock: documents are "all", want none, read or write`},
		"many services":     {setup: Setup{Services: many}, want: "1001 services of your own, at most 1000"},
		"rotate a stranger": {setup: Setup{Rotate: []string{"sever"}}, want: `"sever": there is no such identity: there are orchestrator, fetcher`},
		"TLS mode":          {setup: Setup{TLS: &TLS{Mode: "on"}}, want: `TLS mode is "on", want off, server or mutual`},
		"nameless host":     {setup: Setup{TLS: &TLS{Mode: TLSServer, Hosts: []string{""}}}, want: "host without a name"},
		"many hosts":        {setup: Setup{TLS: &TLS{Mode: TLSServer, Hosts: make([]string, maxHosts+1)}}, want: "101 hosts, at most 100"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.setup.Dir = t.TempDir()
			for file, text := range test.files {
				path := filepath.Join(test.setup.Dir, file)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, err := Init(test.setup)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want %q", err, test.want)
			}
			if err != nil && bytes.Contains([]byte(err.Error()), seed) {
				t.Errorf("the error tells the key: %v", err)
			}
		})
	}
}
