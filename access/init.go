package access

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nkeys"
)

// The names of files that users name, too.
const (
	AuthFile = "auth.conf" // in the broker's folder
	SeedFile = "user.nk"   // in that of each identity
)

const (
	brokerFolder = "broker"
	tlsFile      = "tls.conf"
	setupFile    = "setup.json"
)

// maxFile bounds a file that is read back, in bytes.
const maxFile = 1 << 20

// Setup says what [Init] writes.
type Setup struct {
	// Dir is the folder; it is made if it is missing.
	Dir string
	// Services are added to those that were given before; of one that is there
	// already, what it does with documents is changed.
	Services Services
	// Rotate names identities that get a new key.
	Rotate []string
	// Owner is whose the identities' folders are to be, as by chown. Optional: they
	// belong to who runs this. The broker's folder always does.
	Owner *Owner
	// TLS says whether there is TLS. Optional: it stays as it was; at first it is off.
	TLS *TLS
	// Postgres is one that the saver is to share a password with. Optional.
	Postgres *Postgres
	// Now is the time. Defaults to [time.Now].
	Now func() time.Time
}

// Owner is a user and a group, by number.
type Owner struct{ UID, GID int }

// Written is what [Init] did.
type Written struct {
	Identities []Identity
	// Made names the identities that have a new key, in order.
	Made []string
	// Certified says that certificates were made.
	Certified bool
	// Shared says that a password for PostgreSQL was made.
	Shared bool
}

// Init makes the keys that are missing and writes the broker's configuration. Keys
// that are there stay. It may be called again at any time.
func Init(s Setup) (Written, error) {
	broker := filepath.Join(s.Dir, brokerFolder)
	if err := os.MkdirAll(broker, 0o755); err != nil {
		return Written{}, fmt.Errorf("make folder of the broker: %w", err)
	}
	kept, err := s.kept(filepath.Join(broker, setupFile))
	if err != nil {
		return Written{}, err
	}
	w := Written{Identities: Identities(kept.Services)}
	for _, name := range s.Rotate {
		if !slices.ContainsFunc(w.Identities, func(i Identity) bool { return i.Name == name }) {
			return Written{}, fmt.Errorf("rotate the key of %q: there is no such identity: there are %s", name, names(w.Identities))
		}
	}
	public := make(map[string]string, len(w.Identities))
	for _, i := range w.Identities {
		made := false
		if public[i.Name], made, err = s.key(i.Name); err != nil {
			return Written{}, fmt.Errorf("key of %s: %w", i.Name, err)
		}
		if made {
			w.Made = append(w.Made, i.Name)
		}
	}
	if s.Postgres != nil {
		if w.Shared, err = s.Postgres.share(s.Dir); err != nil {
			return Written{}, err
		}
	}
	now := time.Now
	if s.Now != nil {
		now = s.Now
	}
	if w.Certified, err = kept.TLS.certify(s.Dir, w.Identities, now()); err != nil {
		return Written{}, err
	}
	text := header + Accounts(w.Identities, func(i Identity) string { return "nkey: " + public[i.Name] })
	if err := replace(filepath.Join(broker, AuthFile), []byte(text), 0o644); err != nil {
		return Written{}, err
	}
	for _, i := range w.Identities {
		if err := s.handOver(filepath.Join(s.Dir, i.Name)); err != nil {
			return Written{}, fmt.Errorf("hand over the folder of %s: %w", i.Name, err)
		}
	}
	return w, nil
}

const header = `# Who may do what: written by segue keys init, which writes it anew. There are public
# keys in it and no secret. nats-server takes a change over on SIGHUP.

`

func names(identities []Identity) string {
	var list []string
	for _, i := range identities {
		list = append(list, i.Name)
	}
	return strings.Join(list, ", ")
}

// kept is what a later Init has to know of the earlier ones.
type kept struct {
	Services Services `json:"services"`
	TLS      TLS      `json:"tls"`
}

// kept adds to what was said before what is said now, and keeps it.
func (s Setup) kept(file string) (kept, error) {
	all := kept{TLS: TLS{Mode: TLSOff}}
	text, err := read(file)
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return all, fmt.Errorf("read what was set up before from %s: %w: mend the file, or remove it and name your services again", file, err)
	}
	if s.TLS != nil {
		all.TLS = *s.TLS
	}
	if len(all.TLS.Hosts) == 0 && all.TLS.Mode != TLSOff {
		all.TLS.Hosts = DefaultHosts
	}
	if all.Services == nil {
		all.Services = Services{}
	}
	maps.Copy(all.Services, s.Services)
	if err := errors.Join(all.Services.validate(), all.TLS.validate()); err != nil {
		return all, err
	}
	if text, err = json.MarshalIndent(all, "", "  "); err != nil {
		return all, fmt.Errorf("keep what is set up: %w", err)
	}
	return all, replace(file, append(text, '\n'), 0o644)
}

// key returns the public key of an identity, whose key it makes if there is none.
func (s Setup) key(name string) (public string, made bool, err error) {
	folder := filepath.Join(s.Dir, name)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", false, err
	}
	file := filepath.Join(folder, SeedFile)
	if !slices.Contains(s.Rotate, name) {
		seed, err := read(file)
		if err == nil {
			public, err = publicKey(seed)
			if err != nil {
				err = fmt.Errorf("%s: %w: mend the file, or remove it to get a new key", file, err)
			}
			return public, false, err
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", false, err
		}
	}
	pair, err := nkeys.CreateUser()
	if err != nil {
		return "", false, err
	}
	defer pair.Wipe()
	seed, err := pair.Seed()
	if err != nil {
		return "", false, err
	}
	if err := replace(file, append(seed, '\n'), 0o600); err != nil {
		return "", false, err
	}
	public, err = pair.PublicKey()
	return public, true, err
}

// publicKey returns the public key of a user's seed.
func publicKey(seed []byte) (string, error) {
	pair, err := nkeys.FromSeed([]byte(strings.TrimSpace(string(seed))))
	if err != nil {
		return "", fmt.Errorf("it holds no seed: %w", err)
	}
	defer pair.Wipe()
	public, err := pair.PublicKey()
	if err == nil && !nkeys.IsValidPublicUserKey(public) {
		return "", errors.New("it holds the seed of something else than a user")
	}
	return public, err
}

// handOver gives a folder with its files to the owner, who alone may look into it.
func (s Setup) handOver(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue // nothing of ours
		}
		if err := s.give(filepath.Join(folder, e.Name()), 0o600); err != nil {
			return err
		}
	}
	return s.give(folder, 0o700)
}

func (s Setup) give(path string, mode fs.FileMode) error {
	if err := os.Chmod(path, mode); err != nil {
		return err
	}
	if s.Owner == nil {
		return nil
	}
	return os.Lchown(path, s.Owner.UID, s.Owner.GID)
}

// read reads a file of ours, which is never large.
func read(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s has %d bytes, at most %d are read", file, info.Size(), maxFile)
	}
	return os.ReadFile(file)
}

// replace writes a file at once or not at all. One that holds the same is left
// alone, so that nobody who watches it takes notice.
func replace(file string, text []byte, mode fs.FileMode) error {
	if old, err := read(file); err == nil && string(old) == string(text) {
		return nil
	}
	temp, err := os.CreateTemp(filepath.Dir(file), ".new-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	defer os.Remove(temp.Name()) // gone already if all went well
	_, err = temp.Write(text)
	err = errors.Join(err, temp.Chmod(mode), temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), file)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return nil
}
