//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"segue/faults/fleet"
)

// node is a server of a cluster: a nats-server of its own behind proxies.
type node struct {
	name    string
	process *fleet.Process
	job     fleet.Job
	// monitor is the address of its /healthz.
	monitor string
	client  *proxy // before its port for clients
}

// cluster is three nats-servers that know each other only through proxies, one
// for each pair: server 2 dials 1, and 3 dials 1 and 2. The address that they tell
// of each other is one where nobody is, so that none finds a way round.
type cluster struct {
	nodes [3]*node
	pairs map[[2]int]*proxy // by the numbers of the nodes, the smaller one first
}

// nowhere is an address that refuses connections.
const nowhere = "127.0.0.1:1"

// startCluster starts three servers and waits until they are one cluster.
func startCluster(ctx context.Context, b *Bench) (*cluster, error) {
	c := &cluster{pairs: make(map[[2]int]*proxy)}
	var routes [3]string
	for i := range c.nodes {
		var err error
		if routes[i], err = fleet.FreeAddress(); err != nil {
			return nil, err
		}
		if c.nodes[i], err = newNode(b, i, routes[i], c.routesOf(b, i, routes)); err != nil {
			return nil, err
		}
		if err := c.nodes[i].start(); err != nil {
			return nil, err
		}
		b.Defer(c.nodes[i].stop)
	}
	return c, c.healthy(ctx)
}

// routesOf starts the proxies before the servers that node i dials and returns
// their addresses.
func (c *cluster) routesOf(b *Bench, i int, routes [3]string) []string {
	if i == 0 {
		return []string{"nats://" + nowhere} // a server without a route is not one of a cluster
	}
	var all []string
	for j := range i {
		p, err := newProxy(routes[j], b.Seed+uint64(10*i+j))
		if err != nil {
			b.Log("%v", err) // the cluster will not be healthy
			continue
		}
		b.Defer(p.Close)
		c.pairs[[2]int{j, i}] = p
		all = append(all, "nats://"+p.Addr())
	}
	return all
}

func newNode(b *Bench, i int, route string, dials []string) (*node, error) {
	n := &node{name: fmt.Sprintf("nats-%d", i+1)}
	address, err := fleet.FreeAddress()
	if err != nil {
		return nil, err
	}
	if n.monitor, err = fleet.FreeAddress(); err != nil {
		return nil, err
	}
	if n.client, err = newProxy(address, b.Seed+uint64(i)); err != nil {
		return nil, err
	}
	b.Defer(n.client.Close)
	text := fmt.Sprintf(`server_name: %s
listen: %q
http: %q
jetstream { store_dir: %q, sync_interval: always }
cluster { name: segue, listen: %q, advertise: %q, no_advertise: true, routes: [%s] }
`, n.name, address, n.monitor, filepath.Join(b.Dir, n.name), route, nowhere, strings.Join(dials, ", "))
	conf := filepath.Join(b.Dir, n.name+".conf")
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return nil, err
	}
	n.job = fleet.Job{Name: n.name, Path: b.Programs.Path("nats-server"), Args: []string{"-c", conf}, Dir: b.Dir, Log: filepath.Join(b.Dir, n.name+".log")}
	return n, nil
}

func (n *node) start() (err error) {
	n.process, err = n.job.Start()
	return err
}

func (n *node) stop() {
	if n.process != nil {
		n.process.Kill()
	}
}

// URL names all servers.
func (c *cluster) URL() string {
	var all []string
	for _, n := range c.nodes {
		all = append(all, "nats://"+n.client.Addr())
	}
	return strings.Join(all, ",")
}

// named returns the number of the server of a name.
func (c *cluster) named(name string) (int, error) {
	for i, n := range c.nodes {
		if n.name == name {
			return i, nil
		}
	}
	return 0, fmt.Errorf("no server is named %q", name)
}

// healthLimit is how long a cluster may take until each server says that it has
// all there is and takes part in everything.
const healthLimit = 60 * time.Second

// healthy waits until each server is.
func (c *cluster) healthy(ctx context.Context) error {
	return fleet.Within(ctx, healthLimit, func() error {
		for _, n := range c.nodes {
			if err := n.healthy(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

func (n *node) healthy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.monitor+"/healthz", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s is not healthy: %s", n.name, response.Status)
	}
	return nil
}

// isolate changes the weather between a server and all others, and between it
// and the clients.
func (c *cluster) isolate(i int, peers, clients weather) {
	for pair, p := range c.pairs {
		if pair[0] == i || pair[1] == i {
			p.Set(peers)
			if peers.Refused {
				p.Cut()
			}
		}
	}
	c.nodes[i].client.Set(clients)
	if clients.Refused {
		c.nodes[i].client.Cut()
	}
}

// errQuiet is returned if a fault met a system that had nothing to do.
var errQuiet = errors.New("no starts were left to be published when the fault came: it shows nothing")
