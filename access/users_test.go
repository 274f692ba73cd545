package access

import (
	"strings"
	"testing"
)

const usersHead = `# A broker with a user for each program, who may do what that program does and
# nothing else; docs/permissions.md shows it as a table. Passwords come from the
# environment of nats-server. A program names its own in NATS_URL, such as
# nats://fetcher:PASSWORD@nats:4222, and gets its answers at _INBOX_ and its name;
# with the segue command and the nats CLI give --inbox-prefix _INBOX_operator.
#
# Better than passwords are keys: segue keys init writes the same accounts with them,
# and with users for services of your own. For one of your own here, copy the block of
# the saver, without the catalog, and replace the name. Who is not listed may not
# connect.
#
# Written by: go test ./access -update

server_name: segue
listen: 0.0.0.0:4222
http: 127.0.0.1:8222

jetstream {
  store_dir: /data
  sync_interval: always # see nats.conf
  max_file_store: 8GB
  max_memory_store: 256MB
}

# Add tls {...} where the network is not yours alone.

`

// TestUsersFile holds that the configuration with passwords has the permissions of
// the one with keys.
func TestUsersFile(t *testing.T) {
	t.Parallel()
	text := Accounts(Identities(nil), byPassword)
	if strings.Count(text, "password:") != len(shipped()) {
		t.Errorf("%d users, want %d", strings.Count(text, "password:"), len(shipped()))
	}
	same(t, "../deploy/nats-users.conf", usersHead+text)
}
