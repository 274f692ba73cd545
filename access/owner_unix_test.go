//go:build unix

package access

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestOwner holds that the identities' folders are handed over, and the broker's is
// not. Only root can give files away.
func TestOwner(t *testing.T) {
	t.Parallel()
	owner := &Owner{UID: os.Getuid(), GID: os.Getgid()}
	if os.Getuid() == 0 {
		owner = &Owner{UID: 65532, GID: 65532}
	}
	dir := t.TempDir()
	mustInit(t, Setup{Dir: dir, Owner: owner})
	for name, want := range map[string]Owner{"fetcher": *owner, "fetcher/user.nk": *owner, "broker/auth.conf": {os.Getuid(), os.Getgid()}} {
		if got, ok := ownerOf(t, filepath.Join(dir, name)); ok && got != want {
			t.Errorf("%s belongs to %v, want %v", name, got, want)
		}
	}
}

func ownerOf(t *testing.T, path string) (Owner, bool) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return Owner{}, false
	}
	return Owner{UID: int(s.Uid), GID: int(s.Gid)}, true
}
